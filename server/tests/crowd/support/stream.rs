//! Reads the bytes of a stream, however they are cut. Strict: a byte that is missing, left over or sent
//! twice breaks a chunk or an event.

/// An event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Retry,
    Hello,
    Status { guild: u64, revision: (u64, u64), data: &'a str },
    Goodbye(&'a str),
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// What was not read as HTTP yet.
    raw: Vec<u8>,
    /// What was read of the body and is no whole event yet.
    body: Vec<u8>,
    has_head: bool,
    /// The last chunk was read.
    over: bool,
}

impl Stream {
    /// Whether the body has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.over && self.body.is_empty() && self.raw.is_empty()
    }

    /// Reads on, and hands over every event that is whole.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Event<'_>)) {
        self.raw.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(read) = self.step(at) {
            at += read;
        }
        self.raw.drain(..at);
        let body = std::mem::take(&mut self.body);
        let text = std::str::from_utf8(&body).expect("a frame is cut between characters only by the wire");
        let mut rest = text;
        while let Some((event, behind)) = rest.split_once("\n\n") {
            sink(read_event(event));
            rest = behind;
        }
        self.body = rest.as_bytes().to_vec();
    }

    /// Reads the head or one chunk, if all of it is there; returns how long it is.
    fn step(&mut self, at: usize) -> Option<usize> {
        let raw = &self.raw[at..];
        assert!(!self.over || raw.is_empty(), "bytes behind the end: {}", String::from_utf8_lossy(raw));
        if !self.has_head {
            let end = find(raw, b"\r\n\r\n")? + 4;
            let head = std::str::from_utf8(&raw[..end]).unwrap().to_ascii_lowercase();
            for line in
                ["http/1.1 200 ok\r\n", "\r\ncontent-type: text/event-stream\r\n", "\r\ntransfer-encoding: chunked\r\n"]
            {
                assert!(head.contains(line), "not a stream: {head}");
            }
            self.has_head = true;
            return Some(end);
        }
        let digits = find(raw, b"\r\n")?;
        let line = std::str::from_utf8(&raw[..digits]).unwrap();
        let is_size = line == "0" || (!line.starts_with('0') && line.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(is_size && !line.is_empty(), "not a chunk: {line:?}");
        let size = usize::from_str_radix(line, 16).unwrap();
        let (begin, end) = (digits + 2, digits + 2 + size);
        let behind = raw.get(end..end + 2)?;
        assert_eq!(behind, b"\r\n", "behind a chunk of {size} bytes");
        self.body.extend_from_slice(&raw[begin..end]);
        self.over = size == 0;
        Some(end + 2)
    }
}

fn read_event(event: &str) -> Event<'_> {
    let read = || {
        if let Some(ms) = event.strip_prefix("retry: ") {
            return ms.parse::<u64>().ok().map(|_| Event::Retry);
        }
        let (first, second) = event.split_once('\n')?;
        let data = second.strip_prefix("data: ")?;
        if data.contains(['\n', '\r']) || !data.starts_with('{') || !data.ends_with('}') {
            return None;
        }
        match first {
            "event: hello" => Some(Event::Hello),
            "event: goodbye" => Some(Event::Goodbye(data.strip_prefix("{\"reason\":\"")?.split_once('"')?.0)),
            id => {
                let id = id.strip_prefix("id: ")?;
                let guild = data.strip_prefix("{\"guildId\":\"")?.split_once('"')?.0;
                // That it ends with the id which came before it shows that nothing is missing between.
                data.strip_suffix("\"}")?.strip_suffix(id)?.strip_suffix(",\"revision\":\"")?;
                let (boot, seq) = id.split_once('.')?;
                Some(Event::Status { guild: guild.parse().ok()?, revision: (boot.parse().ok()?, seq.parse().ok()?), data })
            }
        }
    };
    read().unwrap_or_else(|| panic!("not an event: {event:?}"))
}

fn find(bytes: &[u8], end: &[u8]) -> Option<usize> {
    bytes.windows(end.len()).position(|window| window == end)
}

#[test]
fn a_byte_that_is_missing_or_sent_twice_is_noticed() {
    let status = "id: 1.2\ndata: {\"guildId\":\"5\",\"state\":\"online\",\"revision\":\"1.2\"}\n\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = format!("{head}{:x}\r\n{status}\r\n0\r\n\r\n", status.len()).into_bytes();
    let reads = |bytes: &[u8]| {
        let mut stream = Stream::default();
        let mut events = 0;
        bytes.chunks(3).for_each(|piece| stream.feed(piece, |_| events += 1));
        stream.is_over() && events == 1
    };
    assert!(reads(&whole));
    for place in head.len()..whole.len() {
        let (mut missing, mut twice) = (whole.clone(), whole.clone());
        missing.remove(place);
        twice.insert(place, whole[place]);
        for broken in [missing, twice] {
            assert!(!std::panic::catch_unwind(|| reads(&broken)).is_ok_and(|read| read), "byte {place}");
        }
    }
}
