//! Whatever happens, every viewer knows what the monitor says, and nothing is left when all are gone.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use serde_json::json;

use super::body::Event;
use super::model::{History, Knowledge};
use super::scene::{Asked, Deadline, Opened, Scene, guild};
use super::script::{COUNTS, GUILDS, Step, scripts};
use crate::liveness::Monotonic;
use crate::wire::sse::Framing;
use crate::wire::{GuildId, ShardKey, UnixMillis};

/// How much later than its time anything may be: a tick of the ring, and the rounding to milliseconds.
const TICK: Duration = Duration::from_millis(60);
/// How long a token may outlast a sleep of the machine: whatever is due is looked at by then.
const ASLEEP: Duration = Duration::from_secs(15);

/// A viewer as the model sees it.
struct Viewer {
    knowledge: Knowledge,
    token: UnixMillis,
    /// Since when a reactor has it.
    served: Option<Monotonic>,
    /// When it had read everything.
    caught_up: Monotonic,
    /// What it was told at the end.
    goodbye: Option<String>,
    /// It is over: it has hung up, or the server has.
    gone: bool,
}

struct Play {
    scene: Scene,
    guilds: Vec<GuildId>,
    history: History,
    viewers: Vec<Viewer>,
    opened: Vec<Opened>,
    slept: Option<Monotonic>,
    /// When it began to drain, and by when it has to be done.
    drain: Option<(Monotonic, Monotonic)>,
}

impl Play {
    fn begin() -> Self {
        let guilds: Vec<_> = (0..GUILDS).map(guild).collect();
        let mut play = Self {
            scene: Scene::start(),
            guilds,
            history: History::default(),
            viewers: Vec::new(),
            opened: Vec::new(),
            slept: None,
            drain: None,
        };
        play.note();
        play
    }

    fn note(&mut self) {
        self.history.note(&self.scene.monitor, &self.guilds);
    }

    /// One of those for whom it holds, if there is any.
    fn pick(&self, who: Index, mut holds: impl FnMut(usize) -> bool) -> Option<usize> {
        let all: Vec<_> = (0..self.viewers.len()).filter(|viewer| !self.viewers[*viewer].gone && holds(*viewer)).collect();
        (!all.is_empty()).then(|| *who.get(&all))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Open { guilds, chunked, token_ms, now } => self.open(guilds, *chunked, *token_ms, *now),
            Step::Arrive => self.arrive(),
            Step::Leave { who, reset } => self.leave(*who, *reset),
            Step::Beat { instance, count, shard, state, version } => {
                let count = COUNTS[*count];
                let one = shard.map(|shard| u32::try_from(shard.index(count as usize)).unwrap());
                let state = ["ready", "resuming", "fatal", "starting"][*state];
                let ids = (0..count).filter(|id| one.is_none_or(|one| one == *id));
                let shards: Vec<_> = ids.map(|id| json!({"id": id, "count": count, "state": state})).collect();
                self.scene.beat(&json!({"instance": name(*instance), "version": format!("1.{version}"), "shards": shards}));
            }
            Step::Goodbye { instance, back } => {
                let back = back.then_some(60_000);
                self.scene.goodbye(&json!({"instance": name(*instance), "expectedBackMs": back}));
            }
            Step::Exception { guild: number, begins } => {
                let list = if *begins { "unavailable" } else { "available" };
                let guild = guild(*number);
                let shard = |count: &u32| ShardKey::of(guild, *count);
                let shards: Vec<_> = COUNTS.iter().map(shard).map(|key| json!({"id": key.id, "count": key.count})).collect();
                self.scene.beat(&json!({"instance": name(0), "shards": shards, list: [guild.to_string()]}));
            }
            Step::Turn => {
                self.scene.turn();
                self.scene.read();
            }
            Step::Settle => self.settle(),
            Step::Stop { who } => {
                if let Some(viewer) = self.pick(*who, |viewer| self.scene.viewers[viewer].reads) {
                    self.scene.viewers[viewer].reads = false;
                }
            }
            Step::Read { who, bytes } => {
                if let Some(viewer) = self.pick(*who, |viewer| !self.scene.viewers[viewer].reads) {
                    self.scene.viewers[viewer].read(*bytes);
                }
            }
            Step::CatchUp { who } => {
                if let Some(viewer) = self.pick(*who, |viewer| !self.scene.viewers[viewer].reads) {
                    self.catch_up(viewer);
                }
            }
            Step::Pass { ms } => self.pass(Duration::from_millis(*ms)),
            Step::Sleep { ms } => {
                self.scene.clock.sleep(Duration::from_millis(*ms));
                self.slept = Some(self.scene.now());
            }
            Step::Drain { ms } => {
                if self.drain.is_none() {
                    self.settle();
                    self.scene.reactors.drain(Duration::from_millis(*ms));
                    self.drain = Some((self.scene.now(), self.scene.now() + Duration::from_millis(*ms)));
                }
            }
        }
        self.note();
        self.hear();
    }

    fn open(&mut self, guilds: &[u64], chunked: bool, token_ms: Option<i64>, now: bool) {
        let guilds: Vec<_> = guilds.iter().map(|number| guild(*number)).collect();
        let framing = if chunked { Framing::Chunked } else { Framing::UntilClose };
        let token = token_ms.map_or(UnixMillis(i64::MAX), |millis| self.scene.wall_in(millis));
        let opened = self.scene.open(&guilds, Asked { framing, token });
        let begin = self.scene.now();
        self.viewers.push(Viewer {
            knowledge: Knowledge::of(&guilds, &self.history, begin),
            token,
            served: None,
            caught_up: begin,
            goodbye: None,
            gone: false,
        });
        // Its first statuses are known already.
        self.scene.viewers[opened.viewer].heard();
        self.opened.push(opened);
        if now {
            self.arrive();
        }
    }

    fn arrive(&mut self) {
        for opened in std::mem::take(&mut self.opened) {
            let viewer = self.scene.arrive(opened);
            let now = self.scene.now();
            self.viewers[viewer].served = Some(now);
            self.viewers[viewer].knowledge.served(now);
        }
    }

    fn leave(&mut self, who: Index, reset: bool) {
        if let Some(viewer) = self.pick(who, |viewer| self.viewers[viewer].served.is_some()) {
            self.viewers[viewer].gone = true;
            if reset { self.scene.viewers[viewer].reset() } else { self.scene.viewers[viewer].hang_up() }
        }
    }

    fn catch_up(&mut self, viewer: usize) {
        self.read_up(viewer);
        self.viewers[viewer].knowledge.caught_up(self.scene.now());
        self.settle();
    }

    /// Lets a viewer read all there is, which it does not hear in time.
    fn read_up(&mut self, viewer: usize) {
        let deadline = Deadline::soon();
        let done = |play: &Self| {
            let Viewer { gone, served, knowledge, .. } = &play.viewers[viewer];
            *gone
                || served.is_none()
                || (knowledge.missing(&play.history).is_none() && play.scene.viewers[viewer].is_whole())
        };
        let mut quiet = 0;
        while quiet < 3 {
            self.scene.turn();
            let read = self.scene.viewers[viewer].read(16 * 1024) > 0;
            self.hear();
            quiet = if read || !done(self) { 0 } else { quiet + 1 };
            assert!(!deadline.is_over(), "{:?}", self.viewers[viewer].knowledge.missing(&self.history));
        }
        self.scene.viewers[viewer].reads = true;
    }

    /// Hands on what the viewers have read.
    fn hear(&mut self) {
        let now = self.scene.clock.now();
        let drain = self.drain;
        for (viewer, far) in self.viewers.iter_mut().zip(&mut self.scene.viewers).filter(|(viewer, _)| !viewer.gone) {
            for event in far.heard() {
                assert_eq!(viewer.goodbye, None, "nothing comes after a goodbye");
                match event {
                    Event::Greeting => panic!("a stream begins once"),
                    Event::Status(status) => viewer.knowledge.hears(&status, &self.history, now.monotonic, far.reads),
                    Event::Goodbye { reason, retry_after } => {
                        match reason.as_str() {
                            "expired" => assert!(viewer.token <= now.wall, "its token has not ended"),
                            "shutdown" => assert!(drain.is_some(), "nobody stops"),
                            _ => panic!("nobody said {reason}"),
                        }
                        let rest = drain.map_or(Duration::ZERO, |(_, until)| until.saturating_sub(now.monotonic));
                        // Less than a millisecond is left out.
                        let back = rest + Duration::from_millis(999)..=rest + Duration::from_secs(5);
                        assert!(!far.reads || back.contains(&retry_after), "{retry_after:?} is not in {back:?}");
                        viewer.goodbye = Some(reason);
                    }
                }
            }
            if let Some(end) = far.end {
                viewer.gone = true;
                let took_nothing = viewer.caught_up + Duration::from_secs(30) <= now.monotonic;
                let was_over = viewer.token <= now.wall || drain.is_some();
                if far.reads && (viewer.goodbye.is_some() || !took_nothing) {
                    assert!(viewer.goodbye.is_some() && far.is_over(), "{end:?} in the middle of a stream");
                } else {
                    assert!(took_nothing || was_over, "{end:?} of a slow viewer that had time");
                }
                far.hang_up();
            } else if far.reads {
                viewer.caught_up = now.monotonic;
            }
        }
    }

    /// Everything is done that can be, and everybody knows what there is to know.
    fn settle(&mut self) {
        let deadline = Deadline::soon();
        loop {
            self.scene.settle();
            self.hear();
            let Some(wrong) = self.wrong() else { return };
            assert!(!deadline.is_over(), "{wrong}");
        }
    }

    fn pass(&mut self, time: Duration) {
        // Whatever was not noticed yet happens before.
        self.settle();
        let end = self.scene.now() + time;
        while self.scene.now() < end {
            self.scene.pass_until(end);
            self.settle();
        }
    }

    /// What is not as it must be, now that all is done that can be.
    fn wrong(&self) -> Option<String> {
        let now = self.scene.clock.now();
        let is_open = |viewer: &&Viewer| !viewer.gone && viewer.served.is_some();
        let open = self.viewers.iter().filter(is_open).count();
        let slow =
            self.viewers.iter().zip(&self.scene.viewers).filter(|(viewer, far)| is_open(viewer) && !far.reads).count();
        let streams = self.scene.reactors.streams();
        if streams > open || streams + slow < open {
            return Some(format!("{streams} streams of {open} viewers, of whom {slow} do not read"));
        }
        let asleep = self.slept.is_some_and(|slept| now.monotonic < slept + ASLEEP);
        for (at, viewer) in
            self.viewers.iter().enumerate().filter(|(at, viewer)| is_open(viewer) && self.scene.viewers[*at].reads)
        {
            let missing = viewer.knowledge.missing(&self.history).or_else(|| viewer.knowledge.late(now.monotonic));
            if let Some(missing) = missing.filter(|_| viewer.goodbye.is_none()) {
                return Some(format!("viewer {at} does not know {missing}"));
            }
            let settled = viewer.served.is_some_and(|served| served + TICK < now.monotonic);
            let late = i64::try_from(TICK.as_millis()).unwrap();
            if settled && !asleep && viewer.token.0.saturating_add(late) < now.wall.0 {
                return Some(format!("the token of viewer {at} has ended"));
            }
            if settled && self.drain.is_some_and(|(from, until)| from + (until - from).mul_f64(0.9) + TICK < now.monotonic) {
                return Some(format!("viewer {at} should have been told to leave"));
            }
        }
        None
    }

    fn end(mut self) {
        self.arrive();
        for viewer in 0..self.viewers.len() {
            if !self.scene.viewers[viewer].reads {
                self.catch_up(viewer);
            }
        }
        self.pass(Duration::from_secs(15));
        for viewer in self.viewers.iter().filter(|viewer| !viewer.gone) {
            assert!(viewer.knowledge.is_exact(&self.history), "{:?}", viewer.knowledge);
        }
        for (viewer, far) in self.viewers.iter_mut().zip(&mut self.scene.viewers) {
            viewer.gone = true;
            far.hang_up();
        }
        self.settle();
        let mut scene = self.scene;
        assert_eq!((scene.reactors.streams(), scene.metrics.viewers.get(), scene.metrics.connections.get()), (0, 0, 0));
        scene.pass(Duration::from_secs(26));
        assert!(scene.threads[0].is_empty(), "nothing is left: {:?}", scene.threads[0]);
    }
}

fn name(instance: usize) -> &'static str {
    ["a", "b"][instance]
}

proptest! {
    // Half as many as usual, because the kernel takes its time.
    #![proptest_config(Config { cases: Config::default().cases / 2, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() })]

    #[test]
    fn whatever_happens_every_viewer_knows_what_the_monitor_says_and_nothing_is_left_of_them(script in scripts()) {
        let mut play = Play::begin();
        script.iter().for_each(|step| play.step(step));
        play.end();
    }
}
