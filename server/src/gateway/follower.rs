//! Follows what the backend says of one guild: by its stream, or by asking again and again.

use std::num::NonZeroU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rand::RngExt;
use tokio::time::{sleep, timeout};

use super::Bearer;
use super::fault::Fault;
use super::pulse::Pulse;
use super::rights::Right;
use super::shared::Shared;
use super::standing::Standing;
use super::topic::Topic;
use super::upstream::Stream;
use crate::event_source::Loss;
use crate::liveness::Monotonic;
use crate::wire::Payload;
use crate::wire::event_stream::Item;

/// How often a backend without a stream is asked.
const POLL: Duration = Duration::from_secs(3);
/// How long a backend without a stream is asked, until its stream is tried again.
const NO_STREAM: Duration = Duration::from_secs(5 * 60);
/// The same, when the backend has said that it has a stream and not now.
const NOT_NOW: Duration = Duration::from_secs(15);
/// A backend that is out of reach is tried again after these, doubled from the first to the last, a quarter
/// more or less. It has to be seen within 2 s that it is back.
const BACKOFF: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_millis(1200);
/// How many guilds may try at that pace. More of them share what these would do; who gets through calls the
/// others.
const AT_FULL_PACE: usize = 64;
/// Over how long those spread who were called.
const SPREAD_MS: std::ops::Range<u64> = 0..300;

/// Follows one guild.
#[derive(Debug)]
pub(super) struct Follower {
    topic: Arc<Topic>,
    shared: Arc<Shared>,
    standing: Standing,
    /// The token that is asked with, as long as whoever has it is connected and the backend has nothing against it;
    /// then it is the turn of the one with the next number.
    turn: NonZeroU64,
    /// How often in a row the backend could not be reached.
    failures: u32,
}

/// Whose token is used.
struct Voice {
    /// The right that it belongs to, by the number of its token; none for the token of the configuration.
    right: Option<(NonZeroU64, Weak<Right>)>,
    bearer: Bearer,
}

impl Follower {
    pub(super) fn new(topic: Arc<Topic>, shared: Arc<Shared>, standing: Standing) -> Self {
        Self { topic, shared, standing, turn: NonZeroU64::MIN, failures: 0 }
    }

    /// Follows the guild until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let voice = self.voice().await;
            let begun = self.now();
            let Some(fault) = self.follow(&voice).await else { continue };
            tracing::debug!(guild = %self.topic.guild(), "the backend's stream: {fault}");
            let is_orderly = self.failures == 0 && fault == Fault::Over(Loss::Ended);
            if !is_orderly {
                self.pass_turn();
            }
            match &fault {
                _ if fault.is_denial() => self.ask_why(&voice).await,
                Fault::Late | Fault::Mute | Fault::WrongType(_) | Fault::NoPlace => self.poll(NO_STREAM).await,
                Fault::Refused { status, retry_after, .. } if status.as_u16() == 429 || status.is_server_error() => {
                    self.poll(retry_after.unwrap_or_default().clamp(NOT_NOW, NO_STREAM)).await;
                }
                Fault::Refused { .. } => self.poll(NO_STREAM).await,
                Fault::Unreachable(_) | Fault::NoStatus(_) | Fault::Silent | Fault::Over(_) => {
                    self.standing.lost(self.now());
                    // One that ends after each event is asked as often as one without a stream.
                    let pace = if is_orderly { POLL.saturating_sub(self.now() - begun) } else { Duration::ZERO };
                    self.back_off(pace).await;
                }
            }
        }
    }

    /// Follows the stream. Returns why it is over, unless it is to be opened with another's token.
    async fn follow(&mut self, voice: &Voice) -> Option<Fault> {
        let (shared, topic) = (self.shared.clone(), self.topic.clone());
        // Until it is open nobody says that what is known is still so.
        self.standing.lost(self.now());
        let opened = self.meanwhile(shared.upstream.stream(topic.guild(), &voice.bearer)).await;
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(fault) => return Some(fault),
        };
        let mut pulse = Pulse::new(self.now());
        loop {
            let left = pulse.deadline().saturating_sub(self.now());
            let item = self.meanwhile(async {
                tokio::select! {
                    item = timeout(left, next(&mut stream)) => Some(item.unwrap_or_else(|_| Err(pulse.stopped()))),
                    () = moved_on(&topic, voice) => None,
                }
            });
            match item.await? {
                Ok(item) => self.take(item, &mut pulse),
                Err(fault) => return Some(fault),
            }
        }
    }

    fn take(&mut self, item: Item, pulse: &mut Pulse) {
        let now = self.now();
        self.standing.alive(now);
        pulse.beat(now);
        let Item::Message(message) = item else { return };
        if pulse.control(&message) {
            return;
        }
        match self.shared.upstream.read(&message.data, self.topic.guild()) {
            Ok(payload) => {
                pulse.confirm();
                self.heard(payload, now);
            }
            Err(_) => drop(self.shared.metrics.upstream.passed_over.inc()),
        }
    }

    /// Asks for the status again and again, for this long.
    async fn poll(&mut self, time: Duration) {
        let until = self.now() + time;
        while self.now() < until {
            let asked = self.now();
            match self.ask().await {
                Ok(()) => {
                    let rest = (asked + POLL).saturating_sub(self.now());
                    self.meanwhile(sleep(rest)).await;
                }
                Err(fault) => {
                    tracing::debug!(guild = %self.topic.guild(), "the backend's status: {fault}");
                    self.pass_turn();
                    self.standing.lost(self.standing.last_heard());
                    // Without anybody's token but ours, a denial lasts.
                    let least = if fault.is_denial() && self.shared.service.is_some() { NOT_NOW } else { Duration::ZERO };
                    self.back_off(fault.retry_after().unwrap_or(least).min(NO_STREAM)).await;
                }
            }
        }
    }

    /// The stream was denied: the status says whether that is because of who asked.
    async fn ask_why(&mut self, voice: &Voice) {
        match self.ask_as(voice).await {
            Ok(()) => self.poll(NO_STREAM).await,
            // Somebody else is asked with.
            Err(fault) if fault.is_denial() && voice.right.is_some() => {}
            Err(fault) => {
                self.standing.lost(self.standing.last_heard());
                self.back_off(fault.retry_after().unwrap_or(NOT_NOW).min(NO_STREAM)).await;
            }
        }
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        let voice = self.voice().await;
        self.ask_as(&voice).await
    }

    /// Asks for the status. Whoever may not have it loses the right to watch the guild.
    async fn ask_as(&mut self, voice: &Voice) -> Result<(), Fault> {
        let (shared, guild) = (self.shared.clone(), self.topic.guild());
        let asked = self.now();
        let answer = self.meanwhile(shared.poll(guild, &voice.bearer)).await;
        if let Err(fault) = &answer
            && fault.is_denial()
        {
            match &voice.right {
                Some((_, right)) => drop(right.upgrade().map(|right| shared.judge(&right, Err(fault)))),
                None => shared.service_denied(fault),
            }
        }
        self.heard(answer?, asked);
        Ok(())
    }

    fn heard(&mut self, payload: Payload, asked: Monotonic) {
        self.failures = 0;
        if self.standing.heard(payload, asked, self.now(), &self.shared.board) {
            self.shared.back.send_modify(|times| *times += 1);
        }
    }

    /// The token to ask with, once there is one.
    async fn voice(&mut self) -> Voice {
        if let Some(bearer) = &self.shared.service {
            return Voice { right: None, bearer: bearer.clone() };
        }
        let topic = self.topic.clone();
        let right = self.meanwhile(topic.somebody(self.turn)).await;
        self.turn = right.number();
        Voice { right: Some((right.number(), Arc::downgrade(&right))), bearer: right.bearer() }
    }

    /// What went wrong may have to do with who asked, so the next to ask is another, if there is one.
    fn pass_turn(&mut self) {
        self.turn = self.turn.checked_add(1).unwrap_or(NonZeroU64::MIN);
    }

    /// Waits before the backend is tried again, at least for this long. If it is found to be back by another
    /// guild, that is soon enough.
    async fn back_off(&mut self, least: Duration) {
        let doubled = BACKOFF.start().saturating_mul(1 << self.failures.min(16)).min(*BACKOFF.end());
        self.failures += 1;
        let crowd = self.shared.topics() / AT_FULL_PACE;
        let wait = doubled.saturating_mul(u32::try_from(crowd).unwrap_or(u32::MAX).max(1));
        let wait = wait.mul_f64(rand::rng().random_range(0.75..1.25));
        let mut back = self.shared.back.subscribe();
        self.meanwhile(sleep(least)).await;
        self.meanwhile(async {
            if timeout(wait.saturating_sub(least), back.changed()).await.is_ok() {
                let spread = rand::rng().random_range(SPREAD_MS);
                sleep(Duration::from_millis(spread)).await;
            }
        })
        .await;
    }

    /// Does something, and tells viewers meanwhile what time means for them.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let now = self.now();
            let due = self.standing.due().map(|due| due.saturating_sub(now));
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep(due.unwrap_or_default()), if due.is_some() => {
                    let now = self.now();
                    self.standing.pass(now, &self.shared.board);
                }
            }
        }
    }

    fn now(&self) -> Monotonic {
        self.shared.board.clock().monotonic()
    }
}

async fn next(stream: &mut Stream) -> Result<Item, Fault> {
    Ok(stream.connection.next().await?)
}

/// Waits until a stream should be somebody else's: whose token it was opened with has left.
async fn moved_on(topic: &Topic, voice: &Voice) {
    match &voice.right {
        Some((number, right)) => topic.left_by(*number, right).await,
        None => std::future::pending().await,
    }
}
