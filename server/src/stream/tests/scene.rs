//! A reactor, what it watches, and the far ends of its streams.

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Body;
use mio::Events;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::super::{Adoption, Desk, Handoff, Opening, Permits, Reactor, Reactors, Source};
use super::far_end::{FarEnd, connection};
use crate::auth::Holder;
use crate::clock::Clock;
use crate::config::Limits;
use crate::hub::{Hub, Subject};
use crate::limits::{ConnectionPlace, Connections, Viewers};
use crate::liveness::{Monotonic, Stored};
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::wire::sse::{Framing, chunk};
use crate::wire::{Beat, Goodbye, GuildId, UnixMillis};

const BOOT: u64 = 7;
/// How long the kernel may take to bring over what was sent, before that counts as not sent.
const SOON: Duration = Duration::from_secs(5);

/// One of many guilds, whose shards differ.
pub(super) fn guild(number: u64) -> GuildId {
    GuildId::new(((number % 12 + 1) << 22) | number).unwrap()
}

/// How a stream is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) framing: Framing,
    /// When the token ends.
    pub(super) token: UnixMillis,
}

impl Default for Asked {
    fn default() -> Self {
        Self { framing: Framing::Chunked, token: UnixMillis(i64::MAX) }
    }
}

/// A stream that HTTP has begun and not yet handed over.
#[derive(Debug)]
pub(super) struct Opened {
    adoption: Adoption,
    socket: TcpStream,
    connection: ConnectionPlace,
    pub(super) viewer: usize,
}

/// When something counts as not happening, on the clock of the kernel that has to do it.
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn soon() -> Self {
        Self::after(SOON)
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel does not go by the clock of a test")]
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel does not go by the clock of a test")]
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// What a body has to say now.
pub(super) fn poll(opening: &mut Opening) -> Option<Bytes> {
    match Pin::new(opening).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => Some(frame.unwrap().unwrap().into_data().unwrap()),
        Poll::Pending => None,
    }
}

pub(super) struct Scene {
    pub(super) clock: Clock,
    pub(super) monitor: Arc<Monitor>,
    pub(super) metrics: Metrics,
    pub(super) reactors: Reactors,
    pub(super) threads: Vec<Reactor>,
    events: Events,
    places: Arc<Viewers>,
    connections: Connections,
    pub(super) viewers: Vec<FarEnd>,
}

impl Scene {
    pub(super) fn start() -> Self {
        Self::with_reactors(1)
    }

    pub(super) fn with_reactors(count: usize) -> Self {
        // Some tests have hundreds of viewers, and both ends of each.
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
        let (clock, metrics) = (Clock::by_hand(), Metrics::default());
        let (desks, polls): (Vec<_>, Vec<_>) = (0..count).map(|_| Desk::open().unwrap()).unzip();
        let hub = Hub::new(desks.iter().map(Desk::inbox).collect());
        let monitor = Arc::new(Monitor::new(clock, BOOT, Stored::default(), None, hub, metrics.clone()));
        let reactor =
            |(poll, desk): (_, &Desk)| Reactor::new(poll, desk.clone(), Source::Monitor(monitor.clone()), metrics.clone());
        let threads = polls.into_iter().zip(&desks).map(reactor).collect();
        let most = usize::MAX >> 4;
        Self {
            clock,
            places: Arc::new(Viewers::new(most, &Limits::default(), metrics.clone())),
            connections: Connections::new(most, metrics.clone()),
            monitor,
            metrics,
            reactors: Reactors::new(desks),
            threads,
            events: Events::with_capacity(1024),
            viewers: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Monotonic {
        self.clock.monotonic()
    }

    pub(super) fn wall_in(&self, millis: i64) -> UnixMillis {
        UnixMillis(self.clock.now().wall.0 + millis)
    }

    pub(super) fn beat(&self, beat: &Value) {
        self.monitor.beat(&Beat::parse(beat.to_string().as_bytes()).unwrap()).unwrap();
    }

    /// A bot of one shard beats: all guilds are online, with this version.
    pub(super) fn say(&self, version: usize) {
        Self::say_to(&self.monitor, version);
    }

    pub(super) fn say_to(monitor: &Monitor, version: usize) {
        let beat = json!({"version": format!("1.{version}"), "shards": [{"id": 0, "count": 1}]});
        monitor.beat(&Beat::parse(beat.to_string().as_bytes()).unwrap()).unwrap();
    }

    pub(super) fn goodbye(&self, goodbye: &Value) {
        self.monitor.goodbye(&Goodbye::parse(goodbye.to_string().as_bytes()).unwrap());
    }

    /// The body of the answer to somebody who asks for a stream.
    pub(super) fn opening(&self, guilds: &[GuildId], asked: Asked, handoff: &Handoff) -> Opening {
        let holder = Holder::Viewer("somebody".into());
        let place = self.places.admit(&holder, IpAddr::from(Ipv4Addr::LOCALHOST).into()).unwrap();
        let permits = Permits::new(place, self.metrics.clone());
        let guilds: Vec<_> = guilds.iter().copied().map(Subject::of_all).collect();
        Opening::new(&Source::Monitor(self.monitor.clone()), &guilds, asked.framing, asked.token, permits, handoff.clone())
    }

    /// Begins a stream as HTTP does. The viewer has its first statuses, and the connection has not left
    /// HTTP yet.
    pub(super) fn open(&mut self, guilds: &[GuildId], asked: Asked) -> Opened {
        let handoff = Handoff::default();
        let mut opening = self.opening(guilds, asked, &handoff);
        let head = poll(&mut opening).expect("a stream begins at once");
        assert_eq!(poll(&mut opening), None, "and never ends");
        handoff.flushed();
        let (socket, far) = connection();
        let mut far = FarEnd::new(far, asked.framing);
        far.take(&if asked.framing == Framing::Chunked { chunk(&head) } else { head });
        self.viewers.push(far);
        Opened {
            adoption: handoff.take().unwrap(),
            socket,
            connection: self.connections.take().unwrap(),
            viewer: self.viewers.len() - 1,
        }
    }

    /// Hands a stream over; returns its viewer.
    pub(super) fn arrive(&mut self, opened: Opened) -> usize {
        self.reactors.adopt(opened.adoption, opened.socket, Some(opened.connection));
        opened.viewer
    }

    /// A viewer of these guilds, from whom nothing is hidden any more.
    pub(super) fn watch(&mut self, guilds: &[GuildId]) -> usize {
        self.watch_as(guilds, Asked::default())
    }

    pub(super) fn watch_as(&mut self, guilds: &[GuildId], asked: Asked) -> usize {
        let opened = self.open(guilds, asked);
        let viewer = self.arrive(opened);
        self.settle();
        self.viewers[viewer].heard();
        viewer
    }

    /// One turn of each reactor, none of which waits.
    pub(super) fn turn(&mut self) {
        for thread in &mut self.threads {
            thread.turn(&mut self.events, Some(Duration::ZERO));
        }
    }

    /// One turn of the first reactor, which may wait for so long.
    pub(super) fn wait(&mut self, most: Duration) {
        self.threads[0].turn(&mut self.events, Some(most));
    }

    /// Lets everybody read who reads; says whether anybody did. Who has come to an end hangs up.
    pub(super) fn read(&mut self) -> bool {
        let mut read = false;
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.reads) {
            read |= viewer.read(16 * 1024) > 0;
            if viewer.end.is_some() {
                viewer.hang_up();
            }
        }
        read
    }

    /// When a reactor has to look at its deadlines next, from now.
    fn pause(&self) -> Option<Duration> {
        self.threads.iter().filter_map(Reactor::pause).min()
    }

    /// Turns until nobody has anything to do.
    pub(super) fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 2 {
            self.turn();
            let busy = self.read() || self.pause() == Some(Duration::ZERO);
            quiet = if busy { 0 } else { quiet + 1 };
        }
    }

    /// Turns until it is so.
    pub(super) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Deadline::soon();
        loop {
            self.settle();
            if is_so(self) {
                return;
            }
            assert!(!deadline.is_over(), "{what}");
        }
    }

    /// Lets time pass, up to this moment or to when a reactor means to look at the clock.
    pub(super) fn pass_until(&mut self, end: Monotonic) {
        let left = end - self.now();
        self.clock.pass(self.pause().map_or(left, |pause| pause.min(left)));
        self.settle();
    }

    /// Lets time pass, after everything that has to be done before.
    pub(super) fn pass(&mut self, time: Duration) {
        self.settle();
        let end = self.now() + time;
        while self.now() < end {
            self.pass_until(end);
        }
    }
}
