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
/// Either is a little longer, by chance.
const SPREAD: std::ops::Range<f64> = 1.0..1.2;
/// The same, when the backend has said that it has a stream and not now.
const NOT_NOW: Duration = Duration::from_secs(15);
/// How many streams in a row may be over before they have brought a status, until there is none.
const BARREN: u32 = 2;
/// How many tokens are tried, if there are so many, before a backend that wants to be asked later is.
const TRIED: usize = 3;

/// Follows one guild.
#[derive(Debug)]
pub(super) struct Follower {
    topic: Arc<Topic>,
    shared: Arc<Shared>,
    standing: Standing,
    /// The token that is asked with, as long as whoever has it is connected and the backend has nothing against it;
    /// then it is the turn of the one with the next number.
    turn: NonZeroU64,
    /// How often in a row the backend said nothing.
    failures: u32,
    /// How many streams in a row brought no status.
    barren: u32,
    /// How often in a row the backend wanted to be asked later.
    put_off: usize,
}

/// Whose token is used.
struct Voice {
    /// The right that it belongs to, by the number of its token; none for the token of the configuration.
    right: Option<(NonZeroU64, Weak<Right>)>,
    bearer: Bearer,
}

impl Follower {
    pub(super) fn new(topic: Arc<Topic>, shared: Arc<Shared>, standing: Standing) -> Self {
        Self { topic, shared, standing, turn: NonZeroU64::MIN, failures: 0, barren: 0, put_off: 0 }
    }

    /// Follows the guild until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            // A question is sooner answered than a stream opened, and says which of the two it is that fails.
            if self.failures > 1 && !self.ask_or_back_off().await {
                continue;
            }
            let voice = self.voice().await;
            let begun = self.now();
            self.barren += 1;
            let Some(fault) = self.follow(&voice).await else {
                self.barren = 0;
                continue;
            };
            tracing::debug!(guild = %self.topic.guild(), "the backend's stream: {fault}");
            let is_orderly = fault == Fault::Over(Loss::Ended);
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
                _ if self.barren >= BARREN => self.poll(NO_STREAM).await,
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
        let begun = self.now();
        self.standing.lost(begun);
        let opened = self.meanwhile(shared.upstream.stream(topic.guild(), &voice.bearer)).await;
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(fault) => return Some(fault),
        };
        let mut pulse = Pulse::new(begun);
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
        pulse.beat(now);
        let Item::Message(message) = item else { return };
        if pulse.control(&message) {
            return;
        }
        match self.shared.upstream.read(&message.data, self.topic.guild()) {
            Ok(payload) => {
                pulse.confirm();
                self.barren = 0;
                self.heard(payload, now);
            }
            Err(_) => drop(self.shared.metrics.upstream.passed_over.inc()),
        }
    }

    /// Asks for the status again and again, for this long or a little longer, so that guilds do not try their streams all at
    /// once. After an outage there may be a stream sooner.
    async fn poll(&mut self, time: Duration) {
        let until = self.now() + time.mul_f64(rand::rng().random_range(SPREAD));
        while self.now() < until {
            let asked = self.now();
            let was_out = self.standing.is_told();
            if self.ask_or_back_off().await {
                if was_out {
                    return;
                }
                let rest = (asked + POLL).saturating_sub(self.now());
                self.meanwhile(sleep(rest)).await;
            }
        }
    }

    /// The stream was denied: the status says whether that is because of who asked.
    async fn ask_why(&mut self, voice: &Voice) {
        match self.ask_as(voice).await {
            Ok(()) => self.poll(NO_STREAM).await,
            // Somebody else is asked with.
            Err(fault) if fault.is_denial() && voice.right.is_some() => {}
            Err(fault) => self.back_off_after(&fault, NOT_NOW).await,
        }
    }

    /// Asks for the status. If there is none, waits until it may be asked for again; says whether there was one.
    async fn ask_or_back_off(&mut self) -> bool {
        let Err(fault) = self.ask().await else { return true };
        tracing::debug!(guild = %self.topic.guild(), "the backend's status: {fault}");
        self.pass_turn();
        let has_service = self.shared.service.is_some();
        match fault.is_denial() {
            // Whoever asked is not there any more.
            true if !has_service => {}
            // Without anybody's token but ours, it lasts.
            true => self.back_off_after(&fault, NOT_NOW).await,
            false => self.back_off_after(&fault, Duration::ZERO).await,
        }
        false
    }

    /// Waits as long as the backend says, or at least for this long. Either may concern one token only, so others are tried
    /// before.
    async fn back_off_after(&mut self, fault: &Fault, least: Duration) {
        self.standing.unanswered(self.now());
        let wait = fault.retry_after().unwrap_or(least).min(NO_STREAM);
        self.put_off += usize::from(!wait.is_zero());
        let is_anothers_turn = self.shared.service.is_none() && self.put_off < self.topic.tokens().min(TRIED);
        self.back_off(if is_anothers_turn { Duration::ZERO } else { wait }).await;
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
                Some((_, right)) => drop(right.upgrade().map(|right| shared.judge(&right, &voice.bearer, Err(fault)))),
                None => shared.service_denied(fault),
            }
        }
        self.heard(answer?, asked);
        Ok(())
    }

    fn heard(&mut self, payload: Payload, asked: Monotonic) {
        self.standing.heard(payload, asked, self.now(), &self.shared.board);
        if self.failures > 0 {
            self.shared.pace.is_back();
        }
        self.failures = 0;
        self.put_off = 0;
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

    /// Waits before the backend is tried again, at least for this long.
    async fn back_off(&mut self, least: Duration) {
        let (shared, failures) = (self.shared.clone(), self.failures);
        self.failures += 1;
        self.meanwhile(shared.pace.turn(failures, least)).await;
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
