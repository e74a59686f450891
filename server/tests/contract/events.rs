//! Server-Sent Events, read as a browser reads them (WHATWG HTML, section 9.2.6).

/// One event that a browser would dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` unless an `event:` line said something else.
    pub(crate) name: String,
    /// The lines behind `data:`.
    pub(crate) data: String,
    /// The last `id:` of the stream so far.
    pub(crate) id: String,
}

/// What a stream holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// The last `retry:`.
    pub(crate) retry: Option<u64>,
    /// The events that were ended by an empty line.
    pub(crate) events: Vec<Event>,
    /// Whether the stream broke off within an event.
    pub(crate) cut: bool,
}

/// Reads a stream. CR, LF and CRLF end lines, so a stray one in a value would show.
pub(crate) fn read(stream: &str) -> Read {
    let mut read = Read::default();
    let (mut name, mut data, mut id) = (String::new(), Vec::new(), String::new());
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = lines.split('\n').collect();
    let rest = lines.pop().expect("split gives at least one piece");
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                let name = if name.is_empty() { "message" } else { name.as_str() }.to_owned();
                read.events.push(Event { name, data: data.join("\n"), id: id.clone() });
            }
            (name, data) = (String::new(), Vec::new());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => data.push(value.to_owned()),
            "id" => value.clone_into(&mut id),
            "retry" => read.retry = value.parse().ok(),
            other => panic!("a stream of ours has no field {other:?}"),
        }
    }
    read.cut = !rest.is_empty() || !name.is_empty() || !data.is_empty();
    read
}
