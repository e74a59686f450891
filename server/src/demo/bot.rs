//! A bot that is not there: its processes, what they send, and what becomes of them. It knows
//! neither clock nor socket: time is an argument, and what is to be sent is returned.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::scenes::{At, PROGRAM, Scene, Step, Which};
use super::worker::{SHARDS, Worker, workers};
use crate::wire::{DEFAULT_INTERVAL, GatewayState};

/// How long nothing happens between two scenes.
const REST: Duration = Duration::from_millis(3000);
/// The last number of the first version.
const FIRST_RELEASE: u32 = 2;

/// The bot.
#[derive(Debug)]
pub(super) struct Bot {
    processes: Vec<Process>,
    /// The steps of the scene that are still to come, in the order of their times.
    agenda: VecDeque<(Duration, Step)>,
    /// When the program goes on.
    calm_until: Duration,
    /// How many scenes of the program there have been.
    scene: usize,
    release: u32,
    /// How many processes have ever been started.
    started: u32,
}

#[derive(Debug)]
struct Process {
    worker: Worker,
    number: u32,
    version: String,
    shards: Vec<(u32, GatewayState)>,
    seq: u64,
    /// When it beats next.
    due: Duration,
}

/// What a process sends.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Letter {
    Beat(Beat),
    Goodbye(Goodbye),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beat {
    instance: String,
    session: String,
    seq: u64,
    version: String,
    interval_ms: u64,
    shards: Vec<Shard>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shard {
    id: u32,
    count: u32,
    state: GatewayState,
    latency_ms: f64,
    ack_age_ms: u64,
    guilds: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Goodbye {
    instance: String,
    session: String,
    reason: &'static str,
}

impl Bot {
    /// A bot that is up and well, and goes on with its program in a moment.
    pub(super) fn new(now: Duration) -> Self {
        let mut bot = Self {
            processes: Vec::new(),
            agenda: VecDeque::new(),
            calm_until: now + REST,
            scene: 0,
            release: FIRST_RELEASE,
            started: 0,
        };
        for worker in workers(SHARDS) {
            bot.start(worker, now);
        }
        bot.connect(Which::All, GatewayState::Ready, now);
        bot
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Duration {
        let step = self.agenda.front().map_or(self.calm_until, |(at, _)| *at);
        self.processes.iter().map(|process| process.due).fold(step, Duration::min)
    }

    /// Does what is due, and returns what is to be sent now.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<Letter> {
        if self.agenda.is_empty() && self.calm_until <= now {
            let scene = PROGRAM[self.scene % PROGRAM.len()];
            self.scene += 1;
            self.begin(scene(), now);
        }
        let due = self.agenda.partition_point(|(at, _)| *at <= now);
        self.take(due, now)
    }

    /// Lets this happen now. Whatever is under way is brought to its end at once, so that nobody has
    /// to wait for it, and nothing is left half done.
    pub(super) fn press(&mut self, scene: Scene, now: Duration) -> Vec<Letter> {
        let mut letters = self.take(self.agenda.len(), now);
        self.begin(scene.steps(), now);
        letters.extend(self.advance(now));
        letters
    }

    /// The version that its processes run, or will when the deploy is over.
    pub(super) fn version(&self) -> String {
        format!("1.4.{}", self.release)
    }

    fn begin(&mut self, scene: Vec<At>, now: Duration) {
        let mut steps: Vec<_> = scene.into_iter().map(|(at, step)| (now + Duration::from_millis(at), step)).collect();
        steps.sort_by_key(|(at, _)| *at);
        self.calm_until = steps.last().map_or(now, |(at, _)| *at) + REST;
        self.agenda = steps.into();
    }

    /// Takes the next steps. Goodbyes come last: whoever takes over is heard first.
    fn take(&mut self, steps: usize, now: Duration) -> Vec<Letter> {
        let mut goodbyes = Vec::new();
        for (_, step) in self.agenda.drain(..steps).collect::<Vec<_>>() {
            goodbyes.extend(self.apply(step, now));
        }
        let due = self.processes.iter_mut().filter(|process| process.due <= now);
        let mut letters: Vec<_> = due.map(|process| Letter::Beat(process.beat(now))).collect();
        letters.extend(goodbyes.into_iter().map(Letter::Goodbye));
        letters
    }

    fn apply(&mut self, step: Step, now: Duration) -> Option<Goodbye> {
        match step {
            Step::Release => self.release += 1,
            Step::Start(worker) => self.start(worker, now),
            Step::Gateway(which, state) => self.connect(which, state, now),
            Step::Leave(worker) => {
                let oldest = self.processes.iter().position(|process| process.worker == worker)?;
                return Some(self.processes.remove(oldest).goodbye());
            }
            Step::Kill(worker) => self.processes.retain(|process| process.worker != worker),
            Step::Lose(shard) => self.processes.iter_mut().for_each(|process| process.lose(shard)),
            Step::Restart(shard) => self.processes.iter_mut().for_each(|process| process.restart(shard, now)),
        }
        None
    }

    fn start(&mut self, worker: Worker, now: Duration) {
        self.started += 1;
        let shards = worker.shards().map(|id| (id, GatewayState::Identifying)).collect();
        let (number, version) = (self.started, self.version());
        self.processes.push(Process { worker, number, version, shards, seq: 0, due: now });
    }

    fn connect(&mut self, which: Which, state: GatewayState, now: Duration) {
        let newest = self.processes.iter().map(|process| (process.worker, process.number)).collect::<HashMap<_, _>>();
        for process in &mut self.processes {
            let whole = match which {
                Which::All => true,
                Which::Newest(worker) => process.worker == worker && newest[&worker] == process.number,
                Which::One(_) => false,
            };
            for (id, known) in &mut process.shards {
                if whole || which == Which::One(*id) {
                    *known = state;
                    process.due = now;
                }
            }
        }
    }
}

impl Process {
    /// A process beats every two seconds, and at once when something has changed.
    fn beat(&mut self, now: Duration) -> Beat {
        self.seq += 1;
        self.due = now + DEFAULT_INTERVAL;
        let shard = |&(id, state): &(u32, GatewayState)| Shard {
            id,
            count: self.worker.count,
            state,
            // Something that moves a little, as it does.
            latency_ms: 38.0 + f64::from((id * 7 + u32::try_from(self.seq % 13).unwrap_or(0) * 3) % 11),
            ack_age_ms: (self.seq * 2000) % 41_250,
            guilds: 2000 + id * 17 % 300,
        };
        Beat {
            instance: self.instance(),
            session: self.session(),
            seq: self.seq,
            version: self.version.clone(),
            interval_ms: u64::try_from(DEFAULT_INTERVAL.as_millis()).unwrap_or(u64::MAX),
            shards: self.shards.iter().map(shard).collect(),
        }
    }

    fn goodbye(&self) -> Goodbye {
        Goodbye { instance: self.instance(), session: self.session(), reason: "deploy" }
    }

    /// Like the name of a container: that of its worker, and which one it is.
    fn instance(&self) -> String {
        format!("worker-{}-{}", self.worker.index, self.number)
    }

    fn session(&self) -> String {
        format!("{:04x}", self.number)
    }

    fn lose(&mut self, shard: u32) {
        self.shards.retain(|(id, _)| *id != shard);
    }

    fn restart(&mut self, shard: u32, now: Duration) {
        if self.worker.shards().any(|id| id == shard) && self.shards.iter().all(|(id, _)| *id != shard) {
            self.shards.push((shard, GatewayState::Identifying));
            self.due = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::demo::guild;
    use crate::liveness::{Input, Liveness, Monotonic, Now, Stored};
    use crate::wire::{self, Facts, GuildId, Reason, State, UnixMillis};

    /// The bot, and what the real machine says of it.
    struct Stage {
        bot: Bot,
        liveness: Liveness,
        now: Duration,
        /// Everything that was said of the guild, in order.
        guild: Vec<Facts>,
        /// What was said of a guild on each of the 16 shards.
        said: HashSet<(u32, State, Option<Reason>)>,
    }

    impl Stage {
        fn new() -> Self {
            let liveness = Liveness::new(1, Stored::default(), at(Duration::ZERO));
            let bot = Bot::new(Duration::ZERO);
            Self { bot, liveness, now: Duration::ZERO, guild: Vec::new(), said: HashSet::new() }
        }

        fn hear(&mut self, letters: Vec<Letter>) {
            for letter in letters {
                let json = serde_json::to_vec(&letter).unwrap();
                let now = at(self.now);
                match letter {
                    Letter::Beat(_) => {
                        let beat = wire::Beat::parse(&json).expect("a beat that is taken");
                        assert!(beat.warnings.is_empty());
                        self.liveness.apply(Input::Beat(&beat), now);
                    }
                    Letter::Goodbye(_) => {
                        let goodbye = wire::Goodbye::parse(&json).expect("a goodbye that is taken");
                        self.liveness.apply(Input::Goodbye(&goodbye), now);
                    }
                }
                self.look();
            }
        }

        fn look(&mut self) {
            let facts = self.liveness.facts(guild());
            if self.guild.last().is_none_or(|last| last.revision != facts.revision) {
                self.guild.push(facts);
            }
            for shard in 0..SHARDS {
                // On the same shard when there are twice as many.
                let guild = GuildId::new(u64::from(shard + 2 * SHARDS) << 22).expect("not zero");
                let Facts { state, reason, .. } = self.liveness.facts(guild);
                self.said.insert((shard, state, reason));
            }
        }

        /// Lets time pass up to then.
        fn until(&mut self, end: Duration) {
            while self.now < end {
                let deadline = self.liveness.next_deadline().map(|due| due.saturating_sub(Monotonic::ZERO));
                self.now = deadline.map_or(self.bot.next(), |due| due.min(self.bot.next())).clamp(self.now, end);
                let letters = self.bot.advance(self.now);
                self.hear(letters);
                self.liveness.apply(Input::Tick, at(self.now));
                self.look();
            }
        }

        fn press(&mut self, scene: Scene) {
            let letters = self.bot.press(scene, self.now);
            self.hear(letters);
        }

        /// What is said of the guild from now on is told anew.
        fn forget(&mut self) {
            self.guild.clear();
            self.said.clear();
        }

        fn were_offline(&self) -> BTreeSet<u32> {
            self.said.iter().filter(|(_, state, _)| *state == State::Offline).map(|(id, ..)| *id).collect()
        }
    }

    fn at(time: Duration) -> Now {
        let wall = UnixMillis(i64::try_from(time.as_millis()).unwrap());
        Now { monotonic: Monotonic::ZERO + time, wall }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn within_a_minute_everything_happens_and_the_guild_on_shard_3_is_never_offline() {
        let mut stage = Stage::new();
        stage.until(seconds(60));
        let seen = |id, state, reason| stage.said.contains(&(id, state, reason));
        assert!(seen(9, State::Reconnecting, Some(Reason::Resuming)), "a resume");
        assert!(seen(5, State::Offline, Some(Reason::HeartbeatTimeout)), "a crash");
        assert!((0..16).all(|id| seen(id, State::Reconnecting, Some(Reason::DiscordOutage))), "an outage");
        assert_eq!(stage.were_offline(), (4..8).collect(), "but for the crash nothing makes anybody unhealthy");
        let versions: BTreeSet<_> = stage.guild.iter().filter_map(|facts| facts.version.as_deref()).collect();
        assert_eq!(versions, ["1.4.2", "1.4.3"].into(), "a deploy");
        let counts: BTreeSet<_> = stage.guild.iter().filter_map(|facts| facts.shard.map(|shard| shard.count)).collect();
        assert_eq!(counts, [16, 32].into(), "a reshard and back");
        assert!(stage.guild.iter().all(|facts| facts.healthy && facts.shard.is_none_or(|shard| shard.id == 3)));
        assert!(stage.bot.scene >= PROGRAM.len(), "the program has begun again");
    }

    #[test]
    fn a_crashed_shard_alone_is_offline_in_4_5_s_of_its_last_beat_and_comes_back() {
        let mut stage = Stage::new();
        stage.until(Duration::from_millis(2500));
        stage.forget();
        stage.press(Scene::Crash);
        stage.until(seconds(8));
        let down = stage.guild.last().expect("something was said").clone();
        assert_eq!((down.state, down.reason), (State::Offline, Some(Reason::HeartbeatTimeout)));
        assert_eq!(down.since.0 - down.last_heartbeat.expect("it beat").0, 4500);
        assert_eq!(stage.were_offline(), [3].into());
        stage.until(seconds(15));
        assert_eq!(stage.guild.last().map(|facts| facts.state), Some(State::Online));
    }

    #[test]
    fn a_deploy_shows_nothing_but_the_version() {
        let mut stage = Stage::new();
        stage.until(seconds(2));
        stage.forget();
        stage.press(Scene::Deploy);
        stage.until(seconds(10));
        let states: HashSet<_> = stage.said.iter().map(|(_, state, _)| *state).collect();
        assert_eq!(states, [State::Online].into());
        assert_eq!(stage.guild.last().and_then(|facts| facts.version.clone()).as_deref(), Some("1.4.3"));
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_and_when_the_bot_is_whole_again_afterwards(
            presses in proptest::collection::vec((0..15_000_u64, 0..3_usize), 0..12)
        ) {
            let mut stage = Stage::new();
            for (wait, scene) in presses {
                stage.until(stage.now + Duration::from_millis(wait));
                stage.press([Scene::Crash, Scene::Deploy, Scene::Outage][scene]);
            }
            // The scene, what is left of a scene of the program, and no more.
            stage.until(stage.bot.calm_until.max(stage.now) - Duration::from_millis(1));
            let shards = stage.bot.processes.iter().flat_map(|process| process.shards.iter());
            let ready: Vec<u32> = shards.filter(|(_, state)| *state == GatewayState::Ready).map(|(id, _)| *id).collect();
            let once: BTreeSet<u32> = ready.iter().copied().collect();
            prop_assert_eq!(ready.len(), 16);
            prop_assert_eq!(once, (0..16).collect());
            prop_assert!(stage.guild.last().is_some_and(|facts| facts.healthy));
        }

        #[test]
        fn whatever_is_brought_to_its_end_in_haste_makes_nobody_offline(
            presses in proptest::collection::vec((0..9000_u64, any::<bool>()), 0..12)
        ) {
            let mut stage = Stage::new();
            stage.until(seconds(1));
            stage.forget();
            for (wait, deploy) in presses {
                stage.until(stage.now + Duration::from_millis(wait));
                stage.press(if deploy { Scene::Deploy } else { Scene::Outage });
            }
            stage.until(stage.bot.calm_until);
            // The crash of the program hits these.
            prop_assert!(stage.were_offline().is_subset(&(4..8).collect()), "{:?}", stage.said);
        }
    }
}
