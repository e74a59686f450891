//! What a viewer reads, taken more strictly than any browser would.

use std::time::Duration;

use serde_json::Value;

use crate::wire::sse::Framing;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// `retry:` or `hello`.
    Greeting,
    Status(Value),
    Goodbye {
        reason: String,
        retry_after: Duration,
    },
}

/// The body of an answer as far as it has come.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    /// What is not yet a whole chunk.
    raw: Vec<u8>,
    /// What is not yet a whole event.
    text: Vec<u8>,
    /// The last chunk has come.
    over: bool,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, raw: Vec::new(), text: Vec::new(), over: false }
    }

    /// Takes what has come and returns the events that are whole now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        assert!(!self.over || bytes.is_empty(), "bytes after the last chunk: {:?}", String::from_utf8_lossy(bytes));
        self.raw.extend_from_slice(bytes);
        match self.framing {
            Framing::UntilClose => self.text.append(&mut self.raw),
            Framing::Chunked => while self.take_chunk() {},
        }
        let mut events = Vec::new();
        while let Some(end) = find(&self.text, b"\n\n") {
            let event = String::from_utf8(self.text.drain(..end + 2).collect()).expect("events are UTF-8");
            events.push(parse(&event));
        }
        events
    }

    /// Whether nothing is missing of what has begun; after a goodbye, whether the body is over.
    pub(super) fn is_whole(&self) -> bool {
        self.raw.is_empty() && self.text.is_empty()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_whole() && (self.over || self.framing == Framing::UntilClose)
    }

    fn take_chunk(&mut self) -> bool {
        let Some(line) = find(&self.raw, b"\r\n") else {
            assert!(self.raw.len() < 8, "no size of a chunk: {:?}", String::from_utf8_lossy(&self.raw));
            return false;
        };
        let size = std::str::from_utf8(&self.raw[..line]).expect("a size is ASCII");
        let number = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        assert_eq!(size, format!("{number:x}"), "it is written the short way");
        let end = line + 2 + number;
        if self.raw.len() < end + 2 {
            return false;
        }
        assert_eq!(&self.raw[end..end + 2], b"\r\n", "a chunk is as long as it says");
        self.text.extend_from_slice(&self.raw[line + 2..end]);
        self.raw.drain(..end + 2);
        self.over = number == 0;
        assert!(!self.over || self.raw.is_empty(), "the last chunk is the last thing");
        !self.over
    }
}

fn parse(event: &str) -> Event {
    let lines: Vec<&str> = event.trim_end_matches('\n').split('\n').collect();
    let json = |line: &str| -> Value { serde_json::from_str(line.strip_prefix("data: ").expect("data")).expect("JSON") };
    match lines[..] {
        [retry] if retry.starts_with("retry: ") => Event::Greeting,
        ["event: hello", _] => Event::Greeting,
        ["event: goodbye", data] => {
            let data = json(data);
            let retry_after = Duration::from_millis(data["retryAfterMs"].as_u64().expect("a number"));
            Event::Goodbye { reason: data["reason"].as_str().expect("a word").to_owned(), retry_after }
        }
        [id, data] => {
            let status = json(data);
            assert_eq!(id.strip_prefix("id: "), status["revision"].as_str(), "the id is the revision");
            Event::Status(status)
        }
        _ => panic!("no event: {event:?}"),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
