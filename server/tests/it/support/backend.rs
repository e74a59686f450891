//! A backend that somebody already has, which answers as a test tells it to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The token that may see everything, unless a test says otherwise.
pub(crate) const TOKEN: &str = "a-token-of-the-backend";

/// Longer than any test.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

type Body = BoxBody<Bytes, Infallible>;

pub(crate) struct Backend {
    pub addr: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

/// An answer that is always the same.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// A request that was received.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub target: String,
    pub headers: HeaderMap,
}

#[derive(Default)]
struct State {
    /// What is answered to whom; 200 is being let in.
    tokens: HashMap<String, u16>,
    status: Value,
    /// What is said to these tokens alone.
    own: HashMap<String, Value>,
    /// What is answered instead of a status.
    instead: Option<Answer>,
    /// What is answered instead of a stream.
    no_stream: Option<Answer>,
    /// Who gets a status and no stream.
    without_stream: HashMap<String, u16>,
    /// Whether a stream begins without its first status.
    is_mute: bool,
    /// How long a status takes.
    delay: Duration,
    /// How long the head of a stream takes.
    stream_delay: Duration,
    asked: Vec<Asked>,
    open: Vec<(String, mpsc::Sender<Bytes>)>,
    in_flight: usize,
    most_in_flight: usize,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), State::new()).await
    }

    async fn at(addr: SocketAddr, state: State) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(addr).unwrap();
        let listener = socket.listen(4096).unwrap();
        let (addr, state) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(state)));
        let serving = tokio::spawn(serve(listener, state.clone()));
        Self { addr, state, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends it as if its process were killed; returns what brings it back with the same settings.
    pub(crate) async fn kill(mut self) -> Killed {
        self.serving.abort();
        drop((&mut self.serving).await);
        let mut state = self.state.lock().unwrap();
        state.open.clear();
        Killed { addr: self.addr, state: std::mem::take(&mut *state) }
    }

    /// What it says of the bot from now on, also to those whose streams are open.
    pub(crate) fn says(&self, status: Value) {
        let mut state = self.state();
        let own: Vec<_> = state.own.keys().cloned().collect();
        state.push(&format!("data: {status}\n\n"), |token| !own.contains(token));
        state.status = status;
    }

    /// The same to one token alone.
    pub(crate) fn says_to(&self, token: &str, status: Value) {
        let mut state = self.state();
        state.push(&format!("data: {status}\n\n"), |other| other == token);
        state.own.insert(token.into(), status);
    }

    /// Writes to all streams.
    pub(crate) fn push(&self, text: &str) {
        self.state().push(text, |_| true);
    }

    /// Ends all streams.
    pub(crate) fn end_streams(&self) {
        self.state().open.clear();
    }

    /// Lets somebody in, or answers with this status.
    pub(crate) fn lets(&self, token: &str, status: u16) {
        self.state().tokens.insert(token.into(), status);
    }

    pub(crate) fn answers(&self, instead: Option<Answer>) {
        self.state().instead = instead;
    }

    pub(crate) fn answers_streams(&self, instead: Option<Answer>) {
        self.state().no_stream = instead;
    }

    /// Answers with this status to whoever asks for a stream with this token, whatever it says of the guild.
    pub(crate) fn opens_no_stream_for(&self, token: &str, status: u16) {
        self.state().without_stream.insert(token.into(), status);
    }

    pub(crate) fn is_mute(&self, is_mute: bool) {
        self.state().is_mute = is_mute;
    }

    pub(crate) fn takes(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// From now on nobody gets an answer.
    pub(crate) fn hangs(&self) {
        self.takes(FOREVER);
        self.streams_take(FOREVER);
    }

    pub(crate) fn streams_take(&self, delay: Duration) {
        self.state().stream_delay = delay;
    }

    /// How many streams are open now.
    pub(crate) fn streams(&self) -> usize {
        let mut state = self.state();
        state.open.retain(|(_, stream)| !stream.is_closed());
        state.open.len()
    }

    /// All that was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// How often a stream was asked for, and how often a status.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let streams = state.asked.iter().filter(|asked| asked.target.ends_with("/stream")).count();
        (streams, state.asked.len() - streams)
    }

    /// How many statuses were asked for at once, at most.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A backend that is gone.
pub(crate) struct Killed {
    addr: SocketAddr,
    state: State,
}

impl Killed {
    pub(crate) async fn back(self) -> Backend {
        Backend::at(self.addr, self.state).await
    }
}

impl State {
    fn new() -> Self {
        Self { tokens: HashMap::from([(TOKEN.into(), 200)]), status: healthy(), ..Self::default() }
    }

    fn push(&mut self, text: &str, is_meant: impl Fn(&String) -> bool) {
        let send = |stream: &mpsc::Sender<Bytes>| stream.try_send(Bytes::copy_from_slice(text.as_bytes())).is_ok();
        self.open.retain(|(token, stream)| !is_meant(token) || send(stream));
    }

    fn said_to(&self, token: &str) -> &Value {
        self.own.get(token).unwrap_or(&self.status)
    }

    /// What is answered to somebody who may not see anything.
    fn refusal(&self, headers: &HeaderMap) -> Option<Answer> {
        let status = self.tokens.get(token(headers)).copied().unwrap_or(401);
        let answer = Answer::of(status, "no");
        (status != 200).then(|| if status == 429 { answer.with("retry-after", "300") } else { answer })
    }

    fn no_stream(&self, token: &str) -> Option<Answer> {
        self.without_stream.get(token).map(|status| Answer::of(*status, "")).or_else(|| self.no_stream.clone())
    }

    fn stream(&mut self, token: &str) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(1024);
        if !self.is_mute {
            sender.try_send(format!("data: {}\n\n", self.said_to(token)).into()).unwrap();
        }
        self.open.push((token.into(), sender));
        let frames = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let body = BodyExt::boxed(StreamBody::new(frames.map(|bytes| Ok(Frame::data(bytes)))));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    }
}

impl Answer {
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn response(self) -> Response<Body> {
        let response = self
            .headers
            .into_iter()
            .fold(Response::builder().status(self.status), |response, (name, value)| response.header(name, value));
        response.body(Full::new(Bytes::from(self.body)).boxed()).unwrap()
    }
}

/// What a backend says of a bot that is well.
pub(crate) fn healthy() -> Value {
    json!({"healthy": true, "lastHeartbeat": "2026-11-22T20:07:00.000Z", "version": "1.4.2"})
}

/// What a backend says of a bot that is not.
pub(crate) fn unhealthy() -> Value {
    json!({"healthy": false, "lastHeartbeat": "2026-11-22T20:07:00.000Z", "version": "1.4.2"})
}

/// Whose request it is; empty if nobody says.
fn token(headers: &HeaderMap) -> &str {
    headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ")).unwrap_or_default()
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            drop(http1::Builder::new().serve_connection(TokioIo::new(socket), service).await);
        });
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let asked = Asked { target: request.uri().to_string(), headers: request.headers().clone() };
    let is_stream = asked.target.ends_with("/stream");
    if is_stream {
        let delay = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked);
            state.stream_delay
        };
        // Even no time at all takes a turn of the timer.
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let mut state = state.lock().unwrap();
        let instead = state.no_stream(token(request.headers())).or_else(|| state.refusal(request.headers()));
        return Ok(instead.map_or_else(|| state.stream(token(request.headers())), Answer::response));
    }
    let delay = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked);
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        state.delay
    };
    let _leaving = Leaving(state.clone());
    sleep(delay).await;
    let state = state.lock().unwrap();
    let said = state.said_to(token(request.headers())).to_string();
    let status = || Answer::of(200, &said).with("content-type", "application/json");
    Ok(state.refusal(request.headers()).or_else(|| state.instead.clone()).unwrap_or_else(status).response())
}

/// A question that is being answered, until it is or whoever asked has left.
struct Leaving(Arc<Mutex<State>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
    }
}
