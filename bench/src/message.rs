//! Statuses as messages, for a peer that publishes what it is given.

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

use crate::frames::{self, Said};

/// What stands before the data of an event.
const DATA: &str = "data: ";

/// A request that publishes this status to the channel of its guild.
pub(crate) fn request(said: &Said<'_>) -> Result<Vec<u8>> {
    let event = frames::status(said);
    let (_, data) = event.trim_end().split_once(DATA).context("a status has data")?;
    let head = format!("POST /publish/{} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n", said.guild, data.len());
    Ok([head.as_bytes(), data.as_bytes()].concat())
}

/// Whether all of the answer is there. Fails if it is not a yes.
pub(crate) fn is_accepted(answer: &[u8]) -> Result<bool> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 20"), "a message was refused: {head}");
    let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) else {
        bail!("an answer without a length: {head}")
    };
    Ok(answer.len() == end + 4 + length.parse::<usize>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_json_of_a_status_and_nothing_else() {
        let now = "2026-11-22T20:20:00.000Z";
        let state = r#""healthy":true,"state":"online","reason":null"#;
        let said = Said { guild: 7, state, last_heartbeat: now, version: "1", since: now, shard: (0, 1), revision: (1, 2) };
        let request = String::from_utf8(request(&said).unwrap()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /publish/7 HTTP/1.1\r\n") && head.ends_with(&format!("length: {}", body.len())));
        assert!(body.starts_with("{\"guildId\":\"7\",") && body.ends_with(",\"revision\":\"1.2\"}"), "{body}");
    }

    #[test]
    fn an_answer_counts_once_it_is_whole_and_only_if_it_is_a_yes() {
        let answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nyes";
        for cut in 0..answer.len() {
            assert!(!is_accepted(&answer.as_bytes()[..cut]).unwrap(), "{cut}");
        }
        assert!(is_accepted(answer.as_bytes()).unwrap());
        assert!(is_accepted(answer.replace("202", "403").as_bytes()).is_err());
    }
}
