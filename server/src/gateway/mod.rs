//! Live status in front of a backend that already exists (docs/gateway.md).
//!
//! The backend says who may see what, and how the bot is; this module asks it as seldom as can be. What it
//! says stands on a [`Board`], from where it reaches viewers in the same way as what comes from beats.

mod bearer;
mod board;
mod checks;
mod fault;
mod follower;
mod pulse;
mod rights;
mod shared;
mod standing;
mod topic;
mod upstream;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use bearer::Bearer;
pub use board::Board;
pub use rights::Lease;
pub use upstream::UpstreamError;

use checks::{Allowed, Checks, IN_FLIGHT};
use follower::Follower;
use rights::Right;
use shared::{POLLS, Shared};
use standing::Standing;
use topic::Topic;
use upstream::Upstream;

use crate::config::UpstreamSettings;
use crate::hub::{Cause, Subject};
use crate::metrics::Metrics;
use crate::wire::{Facts, GuildId, Problem, Template};

/// How many questions may be open at once about those who are connected: half of all, so that whoever comes is
/// not kept waiting by those who are there.
const AGAIN: usize = IN_FLIGHT / 2;

/// A backend, and all that is known by it.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// Whether what the backend says differs from user to user.
    per_viewer: bool,
    /// The questions about those who are connected that may be open at once.
    again: Arc<Semaphore>,
    /// Follows guilds until it is cancelled.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Gateway {
    /// A gateway to this backend. Its tasks end with `stop`.
    ///
    /// # Errors
    ///
    /// When the settings cannot be used.
    pub fn new(
        settings: &UpstreamSettings,
        base: Url,
        board: Arc<Board>,
        stop: CancellationToken,
        tasks: TaskTracker,
        metrics: Metrics,
    ) -> Result<Self, UpstreamError> {
        let service = settings.upstream_token.as_ref().map(|token| Bearer::new(token.reveal()));
        let service = service.transpose().map_err(|_| UpstreamError::Token)?;
        let upstream = Arc::new(Upstream::new(settings.clone(), base, metrics.clone())?);
        let shared = Shared {
            checks: Checks::new(upstream.clone(), board.clock(), metrics.clone()),
            upstream,
            board,
            rights: Arc::default(),
            metrics,
            service,
            polls: Semaphore::new(POLLS),
            back: watch::Sender::new(0),
            topics: Mutex::default(),
            denial_told: AtomicBool::new(false),
        };
        let per_viewer = settings.per_viewer;
        Ok(Self { shared: Arc::new(shared), per_viewer, again: Arc::new(Semaphore::new(AGAIN)), stop, tasks })
    }

    /// Where what the backend says is to be seen.
    pub fn board(&self) -> Arc<Board> {
        self.shared.board.clone()
    }

    /// The status of each guild, for whoever this token belongs to.
    ///
    /// # Errors
    ///
    /// What the backend has against one of them, or why it does not say.
    pub async fn statuses(&self, guilds: &[GuildId], bearer: &Bearer) -> Result<Vec<(Facts, Template)>, Problem> {
        let allowed = self.ask(guilds, bearer).await?;
        let status = |(guild, allowed): (&GuildId, Allowed)| {
            let board = &self.shared.board;
            // What is followed is newer on the board.
            let subject = self.subject(*guild, bearer);
            if !self.shared.followed().contains_key(&subject) {
                let cause = Cause::Received(allowed.asked);
                board.publish(subject, (*allowed.payload).clone(), allowed.asked, cause);
            }
            board.status(subject).expect("it was just put there")
        };
        Ok(guilds.iter().zip(allowed).map(status).collect())
    }

    /// Lets whoever this token belongs to watch these guilds, for as long as the lease is kept.
    ///
    /// # Errors
    ///
    /// As [`statuses`](Self::statuses).
    pub async fn watch(&self, guilds: &[GuildId], bearer: &Bearer) -> Result<Lease, Problem> {
        let allowed = self.ask(guilds, bearer).await?;
        let rights = guilds.iter().zip(allowed).map(|(guild, allowed)| self.join(*guild, &allowed, bearer));
        Ok(Lease::new(rights.collect()))
    }

    /// Whether the backend knows the token at all, for the order in which a request is looked at.
    ///
    /// # Errors
    ///
    /// The backend's 401.
    pub async fn authenticate(&self, bearer: &Bearer) -> Result<(), Problem> {
        let answer = self.shared.checks.ask(GuildId::MIN, bearer).await;
        answer.map(drop).or_else(|problem| if problem.status == 401 { Err(problem) } else { Ok(()) })
    }

    /// Asks again whether those who are connected may be, until the gateway stops.
    pub async fn tend(self: Arc<Self>) {
        let next = async || {
            let slot = self.again.clone().acquire_owned().await.expect("it is never closed");
            (slot, self.shared.rights.next().await)
        };
        while let Some((slot, right)) = self.stop.run_until_cancelled(next()).await {
            let gateway = self.clone();
            self.tasks.spawn(async move {
                gateway.stop.clone().run_until_cancelled(gateway.ask_again(right)).await;
                drop(slot);
            });
        }
    }

    /// What somebody sees who asks for a guild with this token.
    pub fn subject(&self, guild: GuildId, bearer: &Bearer) -> Subject {
        if self.per_viewer { Subject::of_one(guild, bearer.number()) } else { Subject::of_all(guild) }
    }

    async fn ask_again(&self, right: Arc<Right>) {
        let answer = self.shared.checks.ask_again(right.guild(), right.bearer()).await;
        self.shared.judge(&right, answer.as_ref().map(|_| ()));
    }

    async fn ask(&self, guilds: &[GuildId], bearer: &Bearer) -> Result<Vec<Allowed>, Problem> {
        try_join_all(guilds.iter().map(|guild| self.shared.checks.ask(*guild, bearer))).await
    }

    /// Joins those who watch the guild. The first one has it followed.
    fn join(&self, guild: GuildId, allowed: &Allowed, bearer: &Bearer) -> Arc<Right> {
        let now = self.shared.board.clock().now();
        let subject = self.subject(guild, bearer);
        let mut followed = self.shared.followed();
        let topic = followed.entry(subject).or_insert_with(|| {
            let topic = Arc::new(Topic::new(subject));
            self.shared.metrics.upstream.guilds.inc();
            self.shared.board.publish(subject, (*allowed.payload).clone(), allowed.asked, Cause::Received(allowed.asked));
            self.shared.board.watched(subject, true);
            let standing = Standing::new(subject, (*allowed.payload).clone(), now.monotonic);
            let follower = Follower::new(topic.clone(), self.shared.clone(), standing);
            self.tasks.spawn(follow(follower, topic.clone(), self.shared.clone(), self.stop.clone()));
            topic
        });
        self.shared.rights.grant(topic, bearer, now)
    }
}

/// Follows a guild until nobody watches it any more.
async fn follow(follower: Follower, topic: Arc<Topic>, shared: Arc<Shared>, stop: CancellationToken) {
    let deserted = async {
        loop {
            topic.deserted().await;
            let mut followed = shared.followed();
            // Somebody may just have come.
            if topic.is_deserted() {
                followed.remove(&topic.subject());
                shared.board.watched(topic.subject(), false);
                return;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = deserted => {}
        () = follower.run() => {}
    }
    shared.metrics.upstream.guilds.dec();
}
