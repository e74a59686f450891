//! What happens to the simulated bot. A scene is a list of steps, each with the time from its
//! beginning at which it comes.

use serde::Deserialize;

use super::worker::{SHARDS, Worker, workers};
use crate::wire::GatewayState;

/// What a person can make happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Shard 3 dies without a word, and is started again later.
    Crash,
    /// Every process is replaced by one of a new version, old and new side by side for a moment.
    Deploy,
    /// All shards lose Discord at once, and find it again.
    Outage,
}

impl Scene {
    pub(super) fn steps(self) -> Vec<At> {
        match self {
            Self::Crash => crash_of_a_shard(),
            Self::Deploy => deploy(),
            Self::Outage => outage(),
        }
    }
}

/// The shard that a person crashes.
const CRASHED: u32 = 3;
/// What happens by itself, over and over: in all not quite a minute.
pub(super) const PROGRAM: [fn() -> Vec<At>; 5] = [resume, reshard, crash_of_a_process, deploy, outage];

/// A step and when it comes, in milliseconds from the beginning of its scene.
pub(super) type At = (u64, Step);

/// What changes in one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is a new version, which processes run that start from now on.
    Release,
    /// A process starts, with none of its shards connected yet.
    Start(Worker),
    /// These shards change how they stand with Discord.
    Gateway(Which, GatewayState),
    /// The oldest process of this worker says goodbye and ends.
    Leave(Worker),
    /// All processes of this worker end without a word.
    Kill(Worker),
    /// The shard ends without a word, while its process goes on.
    Lose(u32),
    /// The shard is started again.
    Restart(u32),
}

/// Some of the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those of the newest process of the worker.
    Newest(Worker),
    One(u32),
}

/// A gateway connection breaks and is continued, as happens every few hours. Nobody is to notice.
fn resume() -> Vec<At> {
    use GatewayState::{Ready, Resuming};
    vec![(0, Step::Gateway(Which::One(9), Resuming)), (2500, Step::Gateway(Which::One(9), Ready))]
}

fn crash_of_a_shard() -> Vec<At> {
    let ready = Step::Gateway(Which::One(CRASHED), GatewayState::Ready);
    vec![(0, Step::Lose(CRASHED)), (9000, Step::Restart(CRASHED)), (10_500, ready)]
}

fn crash_of_a_process() -> Vec<At> {
    let worker = Worker { index: 1, count: SHARDS };
    let ready = Step::Gateway(Which::Newest(worker), GatewayState::Ready);
    vec![(0, Step::Kill(worker)), (8000, Step::Start(worker)), (9500, ready)]
}

fn deploy() -> Vec<At> {
    let replace = |worker: Worker| {
        let begin = 1600 * u64::from(worker.index);
        [
            (begin, Step::Start(worker)),
            (begin + 1000, Step::Gateway(Which::Newest(worker), GatewayState::Ready)),
            (begin + 1500, Step::Leave(worker)),
        ]
    };
    let mut steps = vec![(0, Step::Release)];
    steps.extend(workers(SHARDS).flat_map(replace));
    steps
}

fn outage() -> Vec<At> {
    use GatewayState::{Ready, Reconnecting, Resuming};
    let mut steps = vec![(0, Step::Gateway(Which::All, Reconnecting)), (5000, Step::Gateway(Which::All, Resuming))];
    let back = |worker: Worker| (6000 + 600 * u64::from(worker.index), Step::Gateway(Which::Newest(worker), Ready));
    steps.extend(workers(SHARDS).map(back));
    steps
}

/// Twice as many shards take over, and later as few as before, as a bot does that grows: the new
/// ones are ready before the old ones leave.
fn reshard() -> Vec<At> {
    let mut steps = replace_all(0, SHARDS, 2 * SHARDS);
    steps.extend(replace_all(9000, 2 * SHARDS, SHARDS));
    steps
}

fn replace_all(begin: u64, old: u32, new: u32) -> Vec<At> {
    let mut steps: Vec<At> = workers(new).map(|worker| (begin, Step::Start(worker))).collect();
    let ready = |worker| Step::Gateway(Which::Newest(worker), GatewayState::Ready);
    steps.extend(workers(new).map(|worker| (begin + 1000 + 700 * u64::from(worker.index), ready(worker))));
    steps.extend(workers(old).map(|worker| (begin + 4500 + 300 * u64::from(worker.index), Step::Leave(worker))));
    steps
}
