//! Live status in front of a backend that already exists (docs/gateway.md).
//!
//! The backend says who may see what, and how the bot is; this module asks it as seldom as can be. What it
//! says stands on a [`Board`], from where it reaches viewers in the same way as what comes from beats.

mod bearer;
mod board;
mod checks;
mod fault;
mod follower;
mod pace;
mod pulse;
mod rights;
mod shared;
mod standing;
mod topic;
mod upstream;

use std::collections::hash_map::Entry;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use futures_util::future::try_join_all;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use bearer::Bearer;
pub use board::Board;
pub use rights::Lease;
pub use upstream::UpstreamError;

use checks::{Checks, IN_FLIGHT};
use follower::Follower;
use pace::Pace;
use rights::{Right, Rights};
use shared::{POLLS, Shared};
use standing::Standing;
use topic::Topic;
use upstream::Upstream;

use crate::config::UpstreamSettings;
use crate::hub::Subject;
use crate::metrics::Metrics;
use crate::wire::{Code, Facts, GuildId, Problem, Template};

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
            checks: Checks::new(upstream.clone(), board.clone(), metrics.clone()),
            upstream,
            pace: Pace::new(board.clock()),
            board,
            rights: Arc::new(Rights::new()),
            metrics,
            service,
            polls: Semaphore::new(POLLS),
            answered: Mutex::default(),
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
        self.authorise(guilds, bearer).await?;
        let status = |guild: &GuildId| self.shared.board.status(self.subject(*guild, bearer)).ok_or_else(too_many_guilds);
        guilds.iter().map(status).collect()
    }

    /// Whether whoever this token belongs to may see these guilds.
    ///
    /// # Errors
    ///
    /// As [`statuses`](Self::statuses).
    pub async fn authorise(&self, guilds: &[GuildId], bearer: &Bearer) -> Result<(), Problem> {
        let answers = guilds.iter().map(|guild| self.shared.checks.ask(self.subject(*guild, bearer), bearer));
        try_join_all(answers).await.map(drop)
    }

    /// Lets whoever was [authorised](Self::authorise) watch these guilds, for as long as the lease is kept; there is none
    /// for no guild.
    ///
    /// # Errors
    ///
    /// When what was said of one of them is forgotten already.
    pub fn watch(&self, guilds: &[GuildId], bearer: &Bearer) -> Result<Option<Lease>, Problem> {
        let rights = guilds.iter().map(|guild| self.join(*guild, bearer));
        Ok(Lease::of(rights.collect::<Result<_, _>>()?))
    }

    /// Whether the backend knows the token at all, for the order in which a request is looked at.
    ///
    /// # Errors
    ///
    /// The backend's 401.
    pub async fn authenticate(&self, bearer: &Bearer) -> Result<(), Problem> {
        let answer = self.shared.checks.ask(self.subject(GuildId::MIN, bearer), bearer).await;
        answer.or_else(|problem| if problem.status == 401 { Err(problem) } else { Ok(()) })
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
        let bearer = right.bearer();
        let answer = self.shared.checks.ask_again(right.subject(), &bearer).await;
        self.shared.judge(&right, &bearer, answer.as_ref().copied());
    }

    /// Joins those who watch the guild. The first one has it followed.
    fn join(&self, guild: GuildId, bearer: &Bearer) -> Result<Arc<Right>, Problem> {
        let now = self.shared.board.clock().now();
        let subject = self.subject(guild, bearer);
        let mut followed = self.shared.followed();
        let topic = match followed.entry(subject) {
            Entry::Occupied(topic) => topic.into_mut(),
            Entry::Vacant(place) => {
                let known = self.shared.board.watch(subject).ok_or_else(too_many_guilds)?;
                let topic = Arc::new(Topic::new(subject));
                self.shared.metrics.upstream.guilds.inc();
                let standing = Standing::new(subject, known, now.monotonic);
                let follower = Follower::new(topic.clone(), self.shared.clone(), standing);
                self.tasks.spawn(follow(follower, topic.clone(), self.shared.clone(), self.stop.clone()));
                place.insert(topic)
            }
        };
        Ok(self.shared.rights.grant(topic, bearer, now))
    }
}

/// What the backend has just said of a guild is forgotten, because it has said something of thousands of others since.
fn too_many_guilds() -> Problem {
    Problem::new(Code::TooManyChecks, "more guilds are asked for at once than are remembered")
}

/// Follows a guild until nobody watches it any more, and nothing would be heard of it or nobody has come back.
async fn follow(follower: Follower, topic: Arc<Topic>, shared: Arc<Shared>, stop: CancellationToken) {
    let deserted = async {
        loop {
            topic.deserted().await;
            let mut followed = shared.followed();
            // Somebody may just have come.
            if topic.is_deserted() {
                followed.remove(&topic.subject());
                shared.board.leave(topic.subject());
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
