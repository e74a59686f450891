//! Beats, as a bot sends them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

use crate::token::BOT_TOKEN;

/// How long an answer to a beat may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a beat says.
#[derive(Debug, Clone)]
pub(crate) struct Beat<'a> {
    pub(crate) instance: usize,
    /// The number in the session, where the beat has one.
    pub(crate) seq: Option<u64>,
    pub(crate) version: &'a str,
    pub(crate) interval_ms: u32,
    pub(crate) shards: Range<u32>,
    pub(crate) count: u32,
}

impl Beat<'_> {
    /// The request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let Self { instance, version, interval_ms, count, .. } = self;
        let session = self.seq.map(|seq| format!("\"session\":\"s\",\"seq\":{seq},")).unwrap_or_default();
        let shards: Vec<_> =
            self.shards.clone().map(|id| format!("{{\"id\":{id},\"count\":{count},\"state\":\"ready\"}}")).collect();
        let body = format!(
            "{{\"instance\":\"bench-{instance}\",{session}\"version\":\"{version}\",\"intervalMs\":{interval_ms},\"shards\":[{}]}}",
            shards.join(",")
        );
        format!(
            "POST /api/v1/heartbeats HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {BOT_TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// The answer to a request, once all of it is there: how many shards the beat counted for.
pub(crate) fn accepted(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without a length")?.parse()?;
    let body = &answer[end + 4..];
    if body.len() < length {
        return Ok(None);
    }
    let body = std::str::from_utf8(body)?;
    ensure!(body.len() == length, "bytes behind an answer: {body}");
    ensure!(head.starts_with("http/1.1 200 "), "a beat was refused: {head} {body}");
    let Some((_, rest)) = body.split_once("{\"accepted\":") else { bail!("not an answer to a beat: {body}") };
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    Ok(Some(digits.parse().with_context(|| body.to_owned())?))
}

/// A connection that beats one after the other.
#[derive(Debug)]
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// A new connection.
    pub(crate) fn open(to: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// Sends a beat and leaves the answer for later.
    pub(crate) fn send(&mut self, beat: &Beat<'_>) -> Result<()> {
        self.ask(&beat.request())
    }

    /// Waits for the answer; fails unless the beat counted for all of its shards.
    pub(crate) fn settle(&mut self, beat: &Beat<'_>) -> Result<()> {
        self.wait_for(|answer| {
            let Some(accepted) = accepted(answer)? else { return Ok(false) };
            ensure!(accepted == beat.shards.len(), "a beat counted for {accepted} of {} shards", beat.shards.len());
            Ok(true)
        })
    }

    /// Sends a request.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.0.write_all(request)?)
    }

    /// Reads until this says that the answer is whole.
    pub(crate) fn wait_for(&mut self, is_whole: impl Fn(&[u8]) -> Result<bool>) -> Result<()> {
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            if is_whole(&answer)? {
                return Ok(());
            }
            match self.0.read(&mut buffer)? {
                0 => bail!("the connection of beats was closed"),
                read => answer.extend_from_slice(&buffer[..read]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_it_is_whole_and_only_if_it_is_a_yes() {
        let body = "{\"accepted\":17,\"intervalMs\":2000}";
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        for cut in 0..answer.len() {
            assert_eq!(accepted(&answer.as_bytes()[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(accepted(answer.as_bytes()).unwrap(), Some(17));
        assert!(accepted(answer.replace("200 OK", "401 Unauthorized").as_bytes()).is_err());
        assert!(accepted(format!("{answer}x").as_bytes()).is_err());
    }
}
