//! The machine and the oracle side by side, and what must hold after every input.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use guildpulse::liveness::{Applied, Input, Liveness, Now, Stored, Transition};
use guildpulse::wire::{Beat, Facts, Goodbye, GuildId, ShardKey, UnixMillis};

use crate::kept::{Kept, comparable, difference};
use crate::lingo;
use crate::oracle::{Expected, Oracle};

/// All counts of a test divide this, so that guilds of this many residues meet every shard.
pub(crate) const RESIDUES: u64 = 12;
/// The wall clock when the monotonic one stands at zero.
pub(crate) const EPOCH: UnixMillis = UnixMillis(1_795_378_020_000);
/// When every test begins.
pub(crate) const START: Duration = Duration::from_secs(1000);
const BOOT: u64 = 7;

/// A guild of a residue class; those with an odd `number` are never reported as unavailable.
pub(crate) fn guild(residue: u64, number: u64) -> GuildId {
    GuildId::new((residue << 22) + number + 1).expect("not zero")
}

/// An input that can be kept.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    Beat(Beat),
    Goodbye(Goodbye),
    Tick,
    Suspended(Duration),
    Late(Duration),
}

impl Word {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Beat(beat) => Input::Beat(beat),
            Self::Goodbye(goodbye) => Input::Goodbye(goodbye),
            Self::Tick => Input::Tick,
            Self::Suspended(slept) => Input::Suspended(*slept),
            Self::Late(by) => Input::Late(*by),
        }
    }
}

/// How much the rig asks of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Everything must be as the oracle says.
    Oracle,
    /// Only what must hold whatever the rules leave open: revisions and announcements.
    Invariants,
}

/// What is broken, in words.
pub(crate) type Verdict<T = ()> = Result<T, String>;

/// The machine under test, with its judge.
pub(crate) struct Rig {
    pub(crate) machine: Liveness,
    pub(crate) oracle: Oracle,
    pub(crate) judge: Judge,
    kept: Kept,
    boot: u64,
    now: Duration,
    slept: Duration,
    guilds: Vec<GuildId>,
    /// What was last seen of each guild.
    seen: Vec<(Option<ShardKey>, Facts)>,
    /// Everything that was applied, for the one who has to find out why.
    log: Vec<(Duration, Option<Word>)>,
    /// All transitions so far.
    pub(crate) transitions: Vec<Transition>,
}

impl Rig {
    pub(crate) fn new(judge: Judge) -> Self {
        let start = Now { monotonic: START, wall: EPOCH.saturating_add(START) };
        let mut rig = Self {
            machine: Liveness::new(BOOT, Stored::default(), start),
            oracle: Oracle::new(start),
            judge,
            kept: Kept::default(),
            boot: BOOT,
            now: START,
            slept: Duration::ZERO,
            guilds: (0..RESIDUES).flat_map(|residue| [guild(residue, 0), guild(residue, 1)]).collect(),
            seen: Vec::new(),
            log: Vec::new(),
            transitions: Vec::new(),
        };
        rig.seen = rig.look();
        rig
    }

    /// The time since the start of the test.
    pub(crate) fn time(&self) -> Duration {
        self.now - START
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic: self.now, wall: EPOCH.saturating_add(self.now + self.slept) }
    }

    fn look(&self) -> Vec<(Option<ShardKey>, Facts)> {
        self.guilds.iter().map(|guild| (self.machine.route(*guild), self.machine.facts(*guild))).collect()
    }

    /// Applies an input to both, at once, and compares.
    pub(crate) fn apply(&mut self, word: Word) -> Verdict<Applied> {
        let now = self.now();
        // A panic is a broken rule like any other: caught, so that the script is shown with it.
        let applied = catch_unwind(AssertUnwindSafe(|| self.machine.apply(word.input(), now)));
        let accepted = self.oracle.apply(word.input(), now);
        self.log.push((self.time(), Some(word)));
        let Ok(applied) = applied else { return self.fail("the machine panicked") };
        if self.judge == Judge::Oracle && applied.accepted != accepted {
            return self.fail(&format!("accepted {} and not {accepted}", applied.accepted));
        }
        self.kept.take(&self.machine, &applied);
        self.transitions.extend(applied.transitions.iter().cloned());
        self.judge(&applied.transitions)?;
        Ok(applied)
    }

    /// Our own process is away for a while and starts anew from its store.
    pub(crate) fn restart(&mut self, away: Duration) -> Verdict {
        self.now += away;
        self.log.push((self.time(), None));
        self.boot += 1;
        let now = self.now();
        let stored = self.kept.stored(&self.machine);
        if comparable(stored.clone()) != comparable(self.machine.stored()) {
            return self.fail(&format!("kept {}", difference(stored, self.machine.stored())));
        }
        let expected = self.oracle.restart(now);
        if self.judge == Judge::Oracle && comparable(stored.clone()) != comparable(expected.clone()) {
            return self.fail(&format!("stored {}", difference(stored, expected)));
        }
        self.machine = Liveness::new(self.boot, stored, now);
        // What changes by a restart is announced to nobody: nobody is connected yet.
        let after = self.look();
        let before = std::mem::replace(&mut self.seen, after);
        for ((_, before), (_, after)) in before.iter().zip(&self.seen) {
            if after.revision <= before.revision {
                return self.fail(&format!("revision {} after {} over a restart", after.revision, before.revision));
            }
        }
        self.judge(&[])
    }

    /// The machine sleeps: only the wall clock goes on.
    pub(crate) fn sleep(&mut self, slept: Duration) -> Verdict {
        self.slept += slept;
        self.apply(Word::Suspended(slept)).map(drop)
    }

    /// The loop wakes late: time has passed and no timer was looked at.
    pub(crate) fn late(&mut self, by: Duration) -> Verdict {
        self.now += by;
        self.apply(Word::Late(by)).map(drop)
    }

    /// A little time passes in which no timer is looked at, too little to be late.
    pub(crate) fn linger(&mut self, by: Duration) {
        self.now += by;
    }

    /// Lets time pass as the driver does, with a tick at every deadline that lies in the way.
    /// What is due exactly then waits, because a beat received then is fed first (rule 2).
    pub(crate) fn pass_to(&mut self, time: Duration) -> Verdict {
        let target = (START + time).max(self.now);
        let mut rounds = 0;
        while let Some(due) = self.machine.next_deadline().filter(|due| *due < target) {
            rounds += 1;
            if rounds > 10_000 {
                return self.fail("ticks do not end");
            }
            self.now = self.now.max(due);
            self.apply(Word::Tick)?;
        }
        self.now = target;
        Ok(())
    }

    /// Fires what is due now.
    pub(crate) fn tick(&mut self) -> Verdict {
        self.apply(Word::Tick).map(drop)
    }

    /// When the machine wants its next tick, since the start of the test.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.machine.next_deadline().map(|due| due.saturating_sub(START))
    }

    fn judge(&mut self, announced: &[Transition]) -> Verdict {
        let after = self.look();
        let before = std::mem::replace(&mut self.seen, after);
        self.check_revisions(&before)?;
        self.check_announcements(&before, announced)?;
        if self.judge == Judge::Oracle {
            self.check_facts()?;
            self.check_shards()?;
            self.check_deadline()?;
        }
        Ok(())
    }

    /// Rule by rule: the machine says what the oracle says.
    fn check_facts(&self) -> Verdict {
        for (guild, (route, facts)) in self.guilds.iter().zip(&self.seen) {
            let expected = self.oracle.facts(*guild);
            if *route != facts.shard || !is(facts, &expected) {
                let residue = guild.get() >> 22;
                return self.fail(&format!("guild {residue}, route {route:?}:\n   is {facts:?}\n  not {expected:?}"));
            }
        }
        Ok(())
    }

    /// The operator's view, which also shows the shards that no guild uses.
    fn check_shards(&self) -> Verdict {
        let shards = self.machine.shards();
        let mut expected = self.oracle.shards().collect::<Vec<_>>();
        expected.sort_by_key(|shard| (shard.key.count, shard.key.id));
        if shards.len() != expected.len() {
            return self.fail(&format!("{} shards are known and not {}", shards.len(), expected.len()));
        }
        for (detail, shard) in shards.iter().zip(expected) {
            let facts = self.oracle.shard_facts(shard);
            if !is(&detail.facts, &facts) {
                return self.fail(&format!("shard:\n   is {:?}\n  not {facts:?}", detail.facts));
            }
            let mut got: Vec<_> = detail
                .instances
                .iter()
                .map(|process| {
                    let (instance, session) = (process.instance.clone(), process.session.clone());
                    (instance, session, process.state as u8, process.unavailable, process.last_beat, process.version.clone())
                })
                .collect();
            let mut want: Vec<_> = shard
                .present
                .iter()
                .map(|process| {
                    let (instance, session) = (process.instance.clone(), process.session.clone());
                    let reported = process.unavailable.len();
                    (instance, session, process.gateway as u8, reported, process.last_beat, process.version.clone())
                })
                .collect();
            got.sort();
            want.sort();
            if got != want {
                return self.fail(&format!("processes of {:?}:\n   are {got:?}\n   not {want:?}", shard.key));
            }
        }
        Ok(())
    }

    /// Time alone changes nothing before the machine asks to be woken.
    fn check_deadline(&self) -> Verdict {
        let Some(change) = self.oracle.next_change(&self.guilds) else { return Ok(()) };
        match self.machine.next_deadline() {
            Some(due) if due <= change => Ok(()),
            due => self.fail(&format!("next deadline {due:?}, but something changes at {change:?}")),
        }
    }

    /// Section 2.1: a guild's revision never goes back, and changes with every transition.
    fn check_revisions(&self, before: &[(Option<ShardKey>, Facts)]) -> Verdict {
        for ((_, before), (_, after)) in before.iter().zip(&self.seen) {
            if after.revision < before.revision || after.revision.boot != self.boot {
                return self.fail(&format!("revision {} after {}", after.revision, before.revision));
            }
            if after.revision == before.revision && changed(before, after) {
                return self.fail(&format!("same revision:\n      {before:?}\n  and {after:?}"));
            }
        }
        Ok(())
    }

    /// Every transition of a guild is announced, and nothing is announced that is none.
    fn check_announcements(&self, before: &[(Option<ShardKey>, Facts)], announced: &[Transition]) -> Verdict {
        let says = |transition: &Transition| announced.contains(transition);
        for ((guild, before), after) in self.guilds.iter().zip(before).zip(&self.seen) {
            let visible = changed(&before.1, &after.1);
            let moved = before.0 != after.0;
            let shard = after.0.is_some_and(|key| says(&Transition::Shard(key)));
            let (own, routing) = (says(&Transition::Guild(*guild)), says(&Transition::Routing));
            if moved && !routing {
                return self.fail(&format!("guild {guild} moved unannounced, only {announced:?}"));
            }
            if visible && !moved && !shard && !own {
                return self.fail(&format!("unannounced, only {announced:?}:\n      {:?}\n  and {:?}", before.1, after.1));
            }
            let healthy = before.1.healthy != after.1.healthy;
            if own && !visible && !moved && !healthy {
                return self.fail(&format!("guild {guild} was announced, but nothing changed"));
            }
            let spared = guild.get() % 2 == 0;
            if spared && shard && !visible && !moved && !healthy {
                return self.fail(&format!("{:?} was announced, but nothing changed", after.0));
            }
        }
        Ok(())
    }

    fn fail<T>(&self, what: &str) -> Verdict<T> {
        let mut text = format!("at {:?}: {what}\nwhat was applied:\n", self.time());
        for (time, word) in &self.log {
            let word = word.as_ref().map_or_else(|| "restart".to_owned(), lingo::write);
            let _ = writeln!(text, "  {:>8} {word}", time.as_secs_f64());
        }
        Err(text)
    }
}

/// A change of what a transition is made of (section 1 of the design).
pub(crate) fn changed(before: &Facts, after: &Facts) -> bool {
    let made_of = |facts: &Facts| (facts.state, facts.reason, facts.version.clone(), facts.shard, facts.expected_back);
    made_of(before) != made_of(after)
}

fn is(facts: &Facts, expected: &Expected) -> bool {
    let got = Expected {
        healthy: facts.healthy,
        state: facts.state,
        reason: facts.reason,
        last_heartbeat: facts.last_heartbeat,
        version: facts.version.clone(),
        since: expected.since.and(Some(facts.since)),
        expected_back: facts.expected_back,
        shard: facts.shard,
    };
    got == *expected
}
