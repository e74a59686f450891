//! Reads an event stream as the WHATWG HTML standard says it is read (section 9.2.6, "Interpreting
//! an event stream"), whatever pieces it comes in.

use std::time::Duration;

/// What can be read from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event was dispatched.
    Message(Message),
    /// The server says how long to wait before the next connection, in a `retry:` field.
    Retry(Duration),
    /// A comment, which says nothing but that the stream lives.
    Comment,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type: `message` if the stream names none.
    pub kind: String,
    /// Its data; several lines of it are joined by line feeds.
    pub data: String,
    /// The last event id that the stream has given, with this event or before it; empty if there was none.
    pub id: String,
}

/// How much of a stream is kept until it makes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest line, in bytes without its end.
    pub line: usize,
    /// The most data of one event, in bytes.
    pub event: usize,
}

impl Default for Bounds {
    /// A status has less than 1 KiB; whoever has more to say may.
    fn default() -> Self {
        Self { line: 256 * 1024, event: 256 * 1024 }
    }
}

/// The stream goes beyond a bound, and cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// A line does not end.
    #[error("a line of the stream has more than {0} bytes")]
    Line(usize),
    /// An event does not end.
    #[error("an event of the stream has more than {0} bytes")]
    Event(usize),
}

/// A stream that is being read. What it holds at its end is dropped, as the standard wants it: an event
/// without the empty line behind it may be cut.
#[derive(Debug)]
pub struct EventStream {
    bounds: Bounds,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The last byte ended a line with a carriage return; a line feed now belongs to it.
    after_return: bool,
    /// Whether the first line is yet to come, which a byte order mark may precede.
    is_first: bool,
    kind: String,
    data: String,
    /// The id of the event that is being read, and of all that follow without one.
    id: String,
    /// The id of the last event that ended.
    last_id: String,
}

impl EventStream {
    /// A stream from its beginning. `last_event_id` is that of the stream before, which goes on to count.
    pub fn new(bounds: Bounds, last_event_id: impl Into<String>) -> Self {
        let last_id = last_event_id.into();
        Self {
            bounds,
            line: Vec::new(),
            after_return: false,
            is_first: true,
            kind: String::new(),
            data: String::new(),
            id: last_id.clone(),
            last_id,
        }
    }

    /// The id to ask for with `Last-Event-ID` when this stream is over; empty if there is none.
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    /// Reads a piece, and appends what it completes to `items`.
    ///
    /// # Errors
    ///
    /// When a line or an event becomes too long. What was complete before is in `items`.
    pub fn read(&mut self, piece: &[u8], items: &mut Vec<Item>) -> Result<(), TooLong> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut rest = piece;
        if std::mem::take(&mut self.after_return) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.keep(&rest[..end])?;
            let line = std::mem::take(&mut self.line);
            self.line(&line, items)?;
            // Its room is used again.
            self.line = line;
            self.line.clear();
            let after = &rest[end + 1..];
            rest = match rest[end] {
                b'\r' if after.is_empty() => {
                    self.after_return = true;
                    after
                }
                b'\r' => after.strip_prefix(b"\n").unwrap_or(after),
                _ => after,
            };
        }
        self.keep(rest)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() > self.bounds.line {
            return Err(TooLong::Line(self.bounds.line));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn line(&mut self, line: &[u8], items: &mut Vec<Item>) -> Result<(), TooLong> {
        let is_first = std::mem::take(&mut self.is_first);
        let line = if is_first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        // No end of a line is within a character, so this is what decoding the whole stream would be.
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            items.extend(self.dispatch().map(Item::Message));
            return Ok(());
        }
        match line.split_once(':') {
            Some(("", _)) => {
                items.push(Item::Comment);
                Ok(())
            }
            Some((field, value)) => self.field(field, value.strip_prefix(' ').unwrap_or(value), items),
            None => self.field(&line, "", items),
        }
    }

    fn field(&mut self, field: &str, value: &str, items: &mut Vec<Item>) -> Result<(), TooLong> {
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.data.len() + value.len() >= self.bounds.event {
                    return Err(TooLong::Event(self.bounds.event));
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // All digits, so only too large a number fails.
                items.push(Item::Retry(Duration::from_millis(value.parse().unwrap_or(u64::MAX))));
            }
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Message> {
        self.id.clone_into(&mut self.last_id);
        let mut data = std::mem::take(&mut self.data);
        let kind = std::mem::take(&mut self.kind);
        // The line feed behind the last line.
        data.pop()?;
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        Some(Message { kind, data, id: self.last_id.clone() })
    }
}

#[cfg(test)]
mod tests;
