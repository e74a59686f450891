//! Reads a response that is a chunked stream of events, cut anywhere.
//!
//! It is strict, because a server that is fast by sending half of what it owes must not win: every
//! byte has to belong to a head, a chunk or an event that PROTOCOL.md knows, and a status has to be
//! whole. It is cheap: a status that arrives in one piece is looked at where it lies.

use std::str::FromStr;

use memchr::memmem;

/// No head or chunk size of a stream is longer.
const LONGEST_LINE: usize = 8192;
/// No event of a stream is longer: a status with the longest version is below 2 KiB.
const LONGEST_EVENT: usize = 16 * 1024;

/// Why a stream cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The response is no stream.
    #[error("not the head of a stream: {0}")]
    Head(String),
    /// The chunks are not as RFC 9112, section 7.1 wants them.
    #[error("not a chunk: {0}")]
    Chunk(String),
    /// An event is not as PROTOCOL.md wants it.
    #[error("not an event: {0}")]
    Event(String),
}

/// A place in the order of a guild's statuses: `boot`, then `seq`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Revision {
    boot: u64,
    seq: u64,
}

impl FromStr for Revision {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let (boot, seq) = text.split_once('.').ok_or_else(|| Broken::Event(text.into()))?;
        match (number(boot), number(seq)) {
            (Some(boot), Some(seq)) => Ok(Self { boot, seq }),
            _ => Err(Broken::Event(text.into())),
        }
    }
}

/// Whose words are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Those of PROTOCOL.md.
    Guildpulse,
    /// Those of nchan: no chunks, ids of its own, and a comment for a greeting.
    Nchan,
}

/// A whole status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status<'a> {
    /// Its id, which its data repeats.
    pub(crate) revision: Revision,
    /// Its JSON.
    pub(crate) data: &'a [u8],
}

impl Status<'_> {
    /// Whether the JSON holds these bytes, such as `"healthy":true`.
    pub(crate) fn says(&self, text: &[u8]) -> bool {
        memmem::find(self.data, text).is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Size,
    Data(usize),
    DataEnd,
    Trailer,
    Over,
    /// A body without chunks.
    Unframed,
}

/// How far a stream has been read.
#[derive(Debug)]
pub(crate) struct Parser {
    dialect: Dialect,
    stage: Stage,
    /// The beginning of a line of HTTP whose rest has not arrived.
    line: Vec<u8>,
    /// The beginning of an event whose rest has not arrived.
    event: Vec<u8>,
}

impl Parser {
    /// Nothing has been read yet.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, stage: Stage::Head, line: Vec::new(), event: Vec::new() }
    }

    /// Whether the last chunk has been read.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Reads on, and hands each status that is now whole to `sink`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Status<'_>)) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match self.stage {
                Stage::Head => {
                    if let Some(head) = take_line(&mut self.line, &mut bytes, b"\r\n\r\n").map_err(Broken::Head)? {
                        check_head(&head, self.dialect)?;
                        self.stage = match self.dialect {
                            Dialect::Guildpulse => Stage::Size,
                            Dialect::Nchan => Stage::Unframed,
                        };
                    }
                }
                Stage::Size => {
                    if let Some(line) = take_line(&mut self.line, &mut bytes, b"\r\n").map_err(Broken::Chunk)? {
                        self.stage = match chunk_size(&line)? {
                            0 => Stage::Trailer,
                            size => Stage::Data(size),
                        };
                    }
                }
                Stage::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    self.data(data, sink)?;
                    bytes = rest;
                    self.stage = if data.len() == left { Stage::DataEnd } else { Stage::Data(left - data.len()) };
                }
                end @ (Stage::DataEnd | Stage::Trailer) => {
                    if let Some(line) = take_line(&mut self.line, &mut bytes, b"\r\n").map_err(Broken::Chunk)? {
                        if !line.is_empty() {
                            return Err(Broken::Chunk(format!("{} bytes too many", line.len())));
                        }
                        self.stage = if end == Stage::Trailer { Stage::Over } else { Stage::Size };
                    }
                }
                Stage::Unframed => {
                    self.data(bytes, sink)?;
                    bytes = &[];
                }
                Stage::Over => return Err(Broken::Chunk("bytes behind the last chunk".into())),
            }
        }
        Ok(())
    }

    fn data(&mut self, data: &[u8], sink: &mut impl FnMut(Status<'_>)) -> Result<(), Broken> {
        let mut buffered = std::mem::take(&mut self.event);
        let text = if buffered.is_empty() {
            data
        } else {
            buffered.extend_from_slice(data);
            &buffered
        };
        let mut begin = 0;
        while let Some(length) = memmem::find(&text[begin..], b"\n\n") {
            match self.dialect {
                Dialect::Guildpulse => read_event(&text[begin..begin + length], sink)?,
                Dialect::Nchan => read_message(&text[begin..begin + length], sink)?,
            }
            begin += length + 2;
        }
        if text.len() - begin > LONGEST_EVENT {
            return Err(Broken::Event("longer than any event".into()));
        }
        self.event = text[begin..].to_vec();
        Ok(())
    }
}

/// The line up to `end` and without it, if all of it is there; takes what it used off `bytes`.
fn take_line(line: &mut Vec<u8>, bytes: &mut &[u8], end: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let old = line.len();
    line.extend_from_slice(bytes);
    let from = old.saturating_sub(end.len() - 1);
    let Some(place) = memmem::find(&line[from..], end) else {
        *bytes = &[];
        return if line.len() > LONGEST_LINE { Err("it does not end".into()) } else { Ok(None) };
    };
    let length = from + place;
    *bytes = &bytes[length + end.len() - old..];
    line.truncate(length);
    Ok(Some(std::mem::take(line)))
}

fn check_head(head: &[u8], dialect: Dialect) -> Result<(), Broken> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let has = |line: &str| head.lines().any(|known| known == line);
    let is_body = match dialect {
        Dialect::Guildpulse => has("content-type: text/event-stream") && has("transfer-encoding: chunked"),
        Dialect::Nchan => {
            has("content-type: text/event-stream; charset=utf-8")
                && !head.contains("transfer-encoding:")
                && !head.contains("content-length:")
        }
    };
    let is_stream = head.starts_with("http/1.1 200 ok\r\n") && is_body;
    if is_stream { Ok(()) } else { Err(Broken::Head(head)) }
}

fn chunk_size(line: &[u8]) -> Result<usize, Broken> {
    let broken = || Broken::Chunk(String::from_utf8_lossy(line).into_owned());
    // Neither a sign nor an extension, both of which would pass elsewhere.
    if line.is_empty() || line.len() > 8 || !line.iter().all(u8::is_ascii_hexdigit) {
        return Err(broken());
    }
    let digits = std::str::from_utf8(line).map_err(|_| broken())?;
    usize::from_str_radix(digits, 16).map_err(|_| broken())
}

fn read_event(event: &[u8], sink: &mut impl FnMut(Status<'_>)) -> Result<(), Broken> {
    let broken = || Broken::Event(String::from_utf8_lossy(event).into_owned());
    let Some(end) = memchr::memchr(b'\n', event) else {
        let retry = event.strip_prefix(b"retry: ").ok_or_else(broken)?;
        return if !retry.is_empty() && retry.iter().all(u8::is_ascii_digit) { Ok(()) } else { Err(broken()) };
    };
    let (first, data) = (&event[..end], &event[end + 1..]);
    let data = data.strip_prefix(b"data: ").ok_or_else(broken)?;
    if !data.starts_with(b"{") || !data.ends_with(b"}") || memchr::memchr2(b'\n', b'\r', data).is_some() {
        return Err(broken());
    }
    if let Some(id) = first.strip_prefix(b"id: ") {
        let revision: Revision = std::str::from_utf8(id).map_err(|_| broken())?.parse()?;
        // That the data ends with the id which came before it shows that nothing is missing between.
        let rest = data.strip_suffix(b"\"}").and_then(|data| data.strip_suffix(id)).ok_or_else(broken)?;
        if !rest.ends_with(b",\"revision\":\"") || !data.starts_with(b"{\"guildId\":\"") {
            return Err(broken());
        }
        sink(Status { revision, data });
        return Ok(());
    }
    if matches!(first, b"event: hello" | b"event: goodbye") { Ok(()) } else { Err(broken()) }
}

/// An event of nchan, whose id is a time and a number. Its data is a status as it was published.
fn read_message(event: &[u8], sink: &mut impl FnMut(Status<'_>)) -> Result<(), Broken> {
    const REVISION: &[u8] = b",\"revision\":\"";
    if event == b": hi" {
        return Ok(());
    }
    let broken = || Broken::Event(String::from_utf8_lossy(event).into_owned());
    let end = memchr::memchr(b'\n', event).ok_or_else(broken)?;
    let id = event[..end].strip_prefix(b"id: ").ok_or_else(broken)?;
    if !id.iter().all(|letter| letter.is_ascii_digit() || *letter == b':') {
        return Err(broken());
    }
    let data = event[end + 1..].strip_prefix(b"data: ").ok_or_else(broken)?;
    let whole = data.strip_suffix(b"\"}").filter(|data| data.starts_with(b"{\"guildId\":\"")).ok_or_else(broken)?;
    let revision = &whole[memmem::rfind(whole, REVISION).ok_or_else(broken)? + REVISION.len()..];
    let revision = std::str::from_utf8(revision).map_err(|_| broken())?.parse()?;
    sink(Status { revision, data });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    const WHOLE: &[u8] = include_bytes!("../../protocol/fixtures/stream-whole.chunked");

    fn read(pieces: &[&[u8]]) -> Result<(Vec<(Revision, usize)>, bool), Broken> {
        read_as(Dialect::Guildpulse, pieces)
    }

    fn read_as(dialect: Dialect, pieces: &[&[u8]]) -> Result<(Vec<(Revision, usize)>, bool), Broken> {
        let mut parser = Parser::new(dialect);
        let mut statuses = Vec::new();
        for piece in pieces {
            parser.feed(piece, &mut |status| statuses.push((status.revision, status.data.len())))?;
        }
        Ok((statuses, parser.is_over()))
    }

    fn stream(body: &[u8]) -> Vec<u8> {
        [HEAD, body].concat()
    }

    fn chunk(event: &str) -> Vec<u8> {
        stream(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
    }

    #[test]
    fn a_stream_reads_the_same_wherever_it_is_cut() {
        let bytes = stream(WHOLE);
        let whole = read(&[&bytes]).unwrap();
        let revision = |seq| Revision { boot: 1_795_378_677, seq };
        assert_eq!(whole.0.iter().map(|(revision, _)| *revision).collect::<Vec<_>>(), [revision(4711), revision(4712)]);
        assert!(whole.1, "the last chunk was there");
        for cut in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]).unwrap(), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), whole);
    }

    #[test]
    fn a_stream_that_is_cut_off_anywhere_is_not_over_and_counts_whole_statuses_only() {
        let bytes = stream(WHOLE);
        for end in 0..bytes.len() {
            let (statuses, over) = read(&[&bytes[..end]]).unwrap();
            assert!(!over, "{end}");
            let text = String::from_utf8_lossy(&bytes[..end]);
            let whole = text.split("id: ").skip(1).filter(|rest| rest.contains("\"}\n\n")).count();
            assert_eq!(statuses.len(), whole, "{end}");
        }
    }

    #[test]
    fn a_byte_that_is_missing_from_a_chunk_is_noticed_wherever_it_was() {
        for missing in HEAD.len()..HEAD.len() + WHOLE.len() {
            let mut bytes = stream(WHOLE);
            bytes.remove(missing);
            let broken = read(&[&bytes]).is_err();
            let waits = read(&[&bytes]).is_ok_and(|(_, over)| !over);
            assert!(broken || waits, "without byte {missing} the stream looked whole");
        }
    }

    #[test]
    fn what_is_no_stream_of_this_protocol_is_refused() {
        let status = "id: 1.2\ndata: {\"guildId\":\"1\",\"revision\":\"1.2\"}\n\n";
        assert_eq!(read(&[&chunk(status)]).unwrap().0.len(), 1);
        for event in [
            &status.replace("id: 1.2", "id: 1.3"),
            &status.replace("\"}", "\""),
            &status.replace("data: ", "data:"),
            &status.replace("id: 1.2", "id: +1.2"),
            "id: 1.2\n\n",
            "data: {}\n\n",
            "event: ping\ndata: {}\n\n",
            "event: hello\n\n",
            "retry: soon\n\n",
            ": a comment\n\n",
            "\n\n",
        ] {
            assert!(matches!(read(&[&chunk(event)]), Err(Broken::Event(_))), "{event:?}");
        }
        for size in ["+5", "5;x", "", "0x5", "123456789"] {
            let body = format!("{size}\r\nretry");
            assert!(matches!(read(&[&stream(body.as_bytes())]), Err(Broken::Chunk(_))), "{size:?}");
        }
        for head in [
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        ] {
            assert!(matches!(read(&[head.as_bytes()]), Err(Broken::Head(_))), "{head:?}");
        }
    }

    #[test]
    fn a_stream_of_nchan_reads_the_same_wherever_it_is_cut_and_is_no_other() {
        let stream = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
            Connection: keep-alive\r\n\r\n: hi\n\nid: 1795676420:0\ndata: {\"guildId\":\"7\",\"revision\":\"1.3\"}\n\n";
        let bytes = stream.as_bytes();
        let read = |bytes: &[&[u8]]| read_as(Dialect::Nchan, bytes);
        let whole = read(&[bytes]).unwrap();
        assert_eq!(whole, (vec![(Revision { boot: 1, seq: 3 }, 32)], false));
        for cut in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]).unwrap(), whole, "cut at {cut}");
        }
        for (right, wrong) in
            [("id: 1", "id: x"), ("data", "date"), ("\"}", "\""), ("1.3", "13"), (": hi", ": ho"), ("; charset=utf-8", "")]
        {
            assert!(read(&[stream.replace(right, wrong).as_bytes()]).is_err(), "{wrong}");
        }
        assert!(read_as(Dialect::Guildpulse, &[bytes]).is_err());
    }

    #[test]
    fn revisions_are_two_integers_and_not_a_decimal_number() {
        let revision = |text: &str| text.parse::<Revision>().unwrap();
        assert!(revision("12.9") < revision("12.10"));
        assert!(revision("12.10") < revision("13.0"));
        for text in ["12", "12.", ".1", "1.2.3", "1.-2", "a.b"] {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
    }
}
