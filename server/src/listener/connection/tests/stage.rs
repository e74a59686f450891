//! A server as it is made, but for the loop that accepts connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::{Http, begin, drive, tune};
use super::valve::{Valve, Valved};
use super::viewer::{SOON, Viewer};
use crate::auth::{Authenticator, Claims, Holder, OriginPolicy, mint};
use crate::clock::{Clock, wall};
use crate::config::{Config, Secret};
use crate::http::{self, App, Common, Start};
use crate::hub::Hub;
use crate::limits::{ConnectionPlace, Descriptors, Viewers};
use crate::listener::Door;
use crate::liveness::Stored;
use crate::metrics::{Metrics, Scrape, StoreState};
use crate::monitor::Monitor;
use crate::stream::{Desk, Handoff, Reactor, Reactors, Source};
use crate::wire::sse::status_frame;
use crate::wire::{Beat, Goodbye, GuildId, Template};

/// The guild of most tests.
pub(super) const GUILD: u64 = 81_384_788_757_315_589;
pub(super) const BOT_TOKEN: &str = "a token for tests";
/// How many streams there may be.
const MOST: usize = 1000;

pub(super) struct Stage {
    pub(super) app: Arc<App>,
    pub(super) door: Arc<Door>,
    pub(super) stopping: CancellationToken,
    config: Config,
    listener: TcpListener,
    reactor: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// The server's side of a connection.
pub(super) struct Accepted {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            jwt_secret: Some(Secret::new("a secret for tests, 32 bytes long")),
            bot_token: Some(Secret::new(BOT_TOKEN)),
            ..Config::default()
        };
        let (auth, _) = Authenticator::open(&config).unwrap();
        let (clock, metrics) = (Clock::start(), Metrics::default());
        let (desk, poll) = Desk::open().unwrap();
        let hub = Hub::new(vec![desk.inbox()]);
        let monitor = Arc::new(Monitor::new(clock, 12, Stored::default(), None, hub, metrics.clone()));
        let source = Source::Monitor(monitor.clone());
        let reactor = Reactor::new(poll, desk.clone(), source.clone(), metrics.clone());
        let reactors = Arc::new(Reactors::new(vec![desk]));
        let descriptors = Arc::new(Descriptors::keep(0, metrics.clone()));
        let app = Arc::new(App {
            common: Common {
                source,
                origins: OriginPolicy::new(&config),
                viewers: Arc::new(Viewers::new(MOST, &config.limits, metrics.clone())),
                descriptors: descriptors.clone(),
                limits: config.limits.clone(),
                metrics: metrics.clone(),
                shutdown: CancellationToken::new(),
            },
            monitor,
            store: None,
            auth,
            start: Start::of(&config),
            demo: None,
        });
        let router = http::public(app.clone(), &config);
        let door = Door::admin(router, &config.limits, metrics, descriptors, reactors).public(MOST);
        Self {
            app,
            door: Arc::new(door),
            stopping: CancellationToken::new(),
            config,
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            reactor: Some(std::thread::spawn(move || reactor.run())),
            _folder: folder,
        }
    }

    pub(super) async fn connect(&self) -> (Viewer, Accepted) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (socket, peer) = self.listener.accept().await.unwrap();
        tune(&socket).unwrap();
        (Viewer::new(client), Accepted { socket, peer })
    }

    /// HTTP on this connection, until there is nothing more to do for it.
    pub(super) async fn drive(&self, accepted: Accepted, valve: &Valve) -> (Http, TcpStream) {
        let Accepted { socket, peer } = accepted;
        let handoff = Handoff::default();
        let mut connection = begin(Valved::new(TokioIo::new(socket), valve.clone()), peer, &self.door, &handoff);
        let http = drive(&mut connection, &handoff, &self.stopping).await;
        (http, connection.into_parts().io.into_inner().into_inner().into_inner())
    }

    /// A place for a connection.
    pub(super) fn place(&self) -> Option<ConnectionPlace> {
        Some(self.door.crowd.as_ref().unwrap().places.take().unwrap())
    }

    /// Hands a stream that has left to the reactor.
    pub(super) fn adopt(&self, (http, socket): (Http, TcpStream), place: Option<ConnectionPlace>) {
        let Http::Left(adoption) = http else { panic!("it has not left: {http:?}") };
        self.door.reactors.adopt(adoption, socket.into_std().unwrap(), place);
    }

    /// A request with an operator's token that ends in an hour, and with more lines in its head.
    pub(super) fn request(&self, line: &str, more: &str) -> String {
        self.request_until(line, more, wall().unix_seconds() + 3600)
    }

    /// The same with a token that ends then, but for its leeway.
    pub(super) fn request_until(&self, line: &str, more: &str, exp: u64) -> String {
        let claims = Claims { sub: None, exp, guilds: None, role: Some("operator".into()) };
        let token = mint(&self.config, &claims).unwrap();
        format!("{line}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
    }

    /// The request for a stream of [`GUILD`].
    pub(super) fn stream(&self) -> String {
        self.request(&format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1"), "")
    }

    /// Lets the only shard of the bot say this of itself, so that it is not silent before the test ends.
    pub(super) fn beat(&self, state: &str, version: &str) {
        let beat = format!(
            r#"{{"instance":"a","version":"{version}","intervalMs":60000,"shards":[{{"id":0,"count":1,"state":"{state}"}}]}}"#
        );
        self.app.monitor.beat(&Beat::parse(beat.as_bytes()).unwrap()).unwrap();
    }

    pub(super) fn goodbye(&self) {
        self.app.monitor.goodbye(&Goodbye::parse(br#"{"instance":"a"}"#).unwrap());
    }

    /// What a stream says of the guild now, byte for byte.
    pub(super) fn says(&self) -> String {
        let guild = GuildId::new(GUILD).unwrap();
        let frame = status_frame(&Template::new(&self.app.monitor.facts(guild)), guild);
        String::from_utf8(frame.to_vec()).unwrap()
    }

    pub(super) fn seq(&self) -> u64 {
        self.app.monitor.facts(GuildId::new(GUILD).unwrap()).revision.seq
    }

    /// How many streams are open, as it is counted.
    pub(super) fn open(&self) -> i64 {
        self.app.common.metrics.viewers.get()
    }

    /// How many streams ended for each reason, as it is counted.
    pub(super) fn closed(&self) -> HashMap<String, u64> {
        let (shards, store, store_lag) = (HashMap::new(), StoreState::Memory, Duration::ZERO);
        let now = Scrape { shards, store, store_lag, descriptors_open: None, descriptors_limit: 0 };
        let text = self.app.common.metrics.encode(&now);
        let lines = text.lines().filter_map(|line| line.strip_prefix("guildpulse_streams_closed_total{reason=\""));
        let counts = lines.map(|line| line.split_once("\"} ").unwrap());
        counts.map(|(reason, count)| (reason.to_owned(), count.parse().unwrap())).filter(|(_, count)| *count > 0).collect()
    }

    /// Waits until nobody has a place any more, and holds these to be the reasons why.
    pub(super) async fn all_is_given_back(&self, reasons: &[(&str, u64)]) {
        let expected: HashMap<String, u64> = reasons.iter().map(|(reason, count)| ((*reason).into(), *count)).collect();
        let deadline = Instant::now() + SOON;
        while self.open() > 0 || self.app.common.metrics.connections.get() > 0 || self.door.reactors.streams() > 0 {
            assert!(Instant::now() < deadline, "{} streams are open, {:?}", self.open(), self.closed());
            sleep(Duration::from_millis(2)).await;
        }
        let address = IpAddr::from(Ipv4Addr::LOCALHOST).into();
        let places = (0..MOST).map(|_| self.app.common.viewers.admit(&Holder::Operator(None), address));
        let places: Vec<_> = places.collect();
        assert!(places.iter().all(Result::is_ok), "every place is free");
        assert_eq!(self.closed(), expected);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.door.reactors.close();
        let ended = self.reactor.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the reactor panicked");
    }
}

/// Waits for something while a connection is driven, which must not come to its end meanwhile.
pub(super) async fn meanwhile<T, D>(
    driving: std::pin::Pin<&mut impl Future<Output = D>>,
    other: impl Future<Output = T>,
) -> T {
    tokio::select! {
        _ = driving => panic!("the connection has ended"),
        other = timeout(SOON, other) => other.expect("it happens soon"),
    }
}
