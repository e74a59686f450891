//! A client that follows a stream as a browser's EventSource does (WHATWG HTML, section 9.2.6):
//! written from that specification, for the parts that our users' pages rely on.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{SOON, client};

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` if the stream names none.
    pub kind: String,
    pub data: String,
    pub last_event_id: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}

pub(crate) struct Viewer {
    response: Response,
    /// Bytes that do not make a whole line yet.
    rest: Vec<u8>,
    kind: String,
    data: String,
    last_event_id: String,
    pub retry: Option<u64>,
    dispatched: VecDeque<Event>,
}

impl Viewer {
    pub(crate) async fn open(url: &str, token: &str) -> Self {
        // A stream is open for longer than any test watches.
        let request = client(Duration::from_secs(600)).get(url).bearer_auth(token).header("accept", "text/event-stream");
        Self::of(request.send().await.unwrap())
    }

    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            rest: Vec::new(),
            kind: String::new(),
            data: String::new(),
            last_event_id: String::new(),
            retry: None,
            dispatched: VecDeque::new(),
        }
    }

    /// The next event of any type; `None` at the end of the stream.
    pub(crate) async fn event_by(&mut self, deadline: Instant) -> Option<Event> {
        let read = timeout_at(deadline, self.read()).await;
        read.unwrap_or_else(|_| panic!("no event in time; unread: {:?}", self.rest)).unwrap()
    }

    /// The next event of any type, whenever it comes; `None` at the end of the stream.
    pub(crate) async fn read(&mut self) -> reqwest::Result<Option<Event>> {
        loop {
            if let Some(event) = self.dispatched.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.response.chunk().await? else { return Ok(None) };
            for byte in chunk {
                match byte {
                    b'\n' => {
                        let line = String::from_utf8(std::mem::take(&mut self.rest)).unwrap();
                        self.line(&line);
                    }
                    // The server ends lines with LF only, so that nobody has to wait for what follows a CR.
                    b'\r' => panic!("a CR in the stream"),
                    byte => self.rest.push(byte),
                }
            }
        }
    }

    /// The next event, at once.
    pub(crate) async fn event(&mut self) -> Event {
        self.event_by(Instant::now() + SOON).await.expect("the stream goes on")
    }

    /// The next status, as `onmessage` and `JSON.parse(event.data)` see it.
    pub(crate) async fn status_within(&mut self, patience: Duration) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let event = self.event_by(deadline).await.expect("the stream goes on");
            if event.kind == "message" {
                let status = event.json();
                assert_eq!(status["revision"].as_str(), Some(event.last_event_id.as_str()));
                return status;
            }
        }
    }

    /// The next status, at once.
    pub(crate) async fn status(&mut self) -> Value {
        self.status_within(SOON).await
    }

    /// The first status in this state, at once; those before it are let pass.
    pub(crate) async fn until(&mut self, state: &str) -> Value {
        self.until_within(state, SOON).await
    }

    /// The first status in this state.
    pub(crate) async fn until_within(&mut self, state: &str, patience: Duration) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.status_within(deadline.saturating_duration_since(Instant::now())).await;
            if status["state"] == state {
                return status;
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            self.dispatch();
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = value.to_owned(),
            "data" => self.data += &format!("{value}\n"),
            "id" if !value.contains('\0') => self.last_event_id = value.to_owned(),
            "retry" => self.retry = value.parse().ok().or(self.retry),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        if data.is_empty() {
            return;
        }
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        let data = data.strip_suffix('\n').unwrap_or(&data).to_owned();
        self.dispatched.push_back(Event { kind, data, last_event_id: self.last_event_id.clone() });
    }
}
