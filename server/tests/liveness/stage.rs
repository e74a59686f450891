//! Plays a [`Script`] on a [`Rig`].

use std::time::Duration;

use guildpulse::wire::{Beat, GatewayState, Goodbye, Name, ShardKey, ShardReport};

use crate::rig::{Judge, RESIDUES, Rig, Verdict, Word, guild};
use crate::script::{Report, Script, Sender, Step, Time};

/// A sender while the script is played.
struct Actor {
    sender: Sender,
    keys: Vec<ShardKey>,
    /// What each shard is like: its state and the age of its acknowledgement.
    shards: Vec<(GatewayState, Option<u32>)>,
    session: u32,
    seq: u64,
    version: u8,
    unavailable: Vec<u8>,
    available: Vec<u8>,
    sent: Vec<Beat>,
}

/// Plays the script to its end, or until something is broken.
pub(crate) fn play(script: &Script, rig: &mut Rig) -> Verdict {
    let mut actors: Vec<Actor> = script.senders.iter().cloned().map(Actor::new).collect();
    script.steps.iter().try_for_each(|step| take(step, &mut actors, rig))
}

fn take(step: &Step, actors: &mut [Actor], rig: &mut Rig) -> Verdict {
    let number = actors.len();
    match step {
        Step::Says(who, ids, state, ack) => {
            let actor = &mut actors[who % number];
            actor.turn(*ids, *state, *ack);
            actor.beat(rig)
        }
        Step::Beats(who) => actors[who % number].beat(rig),
        Step::AllBeat => actors.iter_mut().try_for_each(|actor| actor.beat(rig)),
        Step::Lost(who) => {
            actors[who % number].write();
            Ok(())
        }
        Step::Again(who, ago) => {
            let sent = &actors[who % number].sent;
            sent.iter().rev().nth(*ago).cloned().map_or(Ok(()), |beat| hand_in(rig, Word::Beat(beat)))
        }
        Step::Version(who, version) => {
            actors[who % number].version = *version;
            Ok(())
        }
        Step::Restarts(who) => {
            actors[who % number].start_anew();
            Ok(())
        }
        Step::Reports(who, residue, report) => {
            let actor = &mut actors[who % number];
            actor.unavailable.retain(|reported| reported != residue);
            actor.available.retain(|reported| reported != residue);
            match report {
                Report::Unavailable => actor.unavailable.push(*residue),
                Report::Available => actor.available.push(*residue),
            }
            actor.beat(rig)
        }
        Step::Leaves(who, leave) => {
            let actor = &actors[who % number];
            let shards = Some(actor.chosen(leave.ids)).filter(|_| leave.ids != 0);
            let goodbye = Goodbye {
                instance: actor.sender.instance.map(Name::from),
                session: actor.session().filter(|_| leave.names_session),
                shards: shards.map(|chosen| chosen.into_iter().map(|place| actor.keys[place]).collect()),
                reason: None,
                expected_back: leave.back.map(|ms| Duration::from_millis(ms.into())),
            };
            hand_in(rig, Word::Goodbye(goodbye))
        }
        Step::Passes(time) => pass(*time, rig),
        Step::Beating(senders, rounds) => beating(*senders, *rounds, actors, rig),
        Step::Tick => rig.tick(),
        Step::Sleeps(ms) if may(rig) => rig.sleep(Duration::from_millis((*ms).into())),
        Step::Restart(ms) if may(rig) => rig.restart(Duration::from_millis((*ms).into())),
        Step::Sleeps(_) | Step::Restart(_) => Ok(()),
        Step::Late(ms) => rig.late(Duration::from_millis((*ms).into())),
    }
}

/// How several generations come through a restart is left open by the rules.
fn may(rig: &Rig) -> bool {
    rig.judge == Judge::Invariants || rig.oracle.knows_one_generation()
}

/// An input that the rules leave open is not given to the oracle to judge.
fn hand_in(rig: &mut Rig, word: Word) -> Verdict {
    if rig.judge == Judge::Oracle && rig.oracle.leaves_open(&word, rig.now().monotonic) {
        return Ok(());
    }
    rig.apply(word).map(drop)
}

fn pass(time: Time, rig: &mut Rig) -> Verdict {
    let nanosecond = Duration::from_nanos(1);
    let due = rig.next_deadline().unwrap_or_else(|| rig.time());
    match time {
        Time::BeforeDeadline => rig.pass_to(due.saturating_sub(nanosecond)),
        Time::ToDeadline => rig.pass_to(due),
        Time::PastDeadline => rig.pass_to(due).and_then(|()| rig.tick()),
        Time::Linger(ms) => {
            rig.linger(Duration::from_millis(ms.into()));
            Ok(())
        }
        Time::By(ms) => rig.pass_to(rig.time() + Duration::from_millis(ms.into())),
    }
}

/// The chosen senders beat, each at its own interval, for so many beats of the quickest.
fn beating(senders: u8, rounds: u8, actors: &mut [Actor], rig: &mut Rig) -> Verdict {
    let chosen: Vec<usize> = (0..actors.len()).filter(|who| senders >> who & 1 == 1).collect();
    let interval = |who: usize, actors: &[Actor]| Duration::from_millis(actors[who].sender.interval);
    let Some(quickest) = chosen.iter().map(|who| interval(*who, actors)).min() else { return Ok(()) };
    let end = rig.time() + quickest * rounds.into();
    let mut due: Vec<Duration> = chosen.iter().map(|_| rig.time()).collect();
    loop {
        let next = (0..chosen.len()).min_by_key(|place| due[*place]).expect("some were chosen");
        if due[next] > end {
            return Ok(());
        }
        rig.pass_to(due[next])?;
        actors[chosen[next]].beat(rig)?;
        due[next] += interval(chosen[next], actors);
    }
}

impl Actor {
    fn new(sender: Sender) -> Self {
        let all = (0..sender.count).map(|id| ShardKey { id, count: sender.count });
        let mut keys: Vec<ShardKey> = all.clone().filter(|key| sender.ids >> key.id & 1 == 1).collect();
        if keys.is_empty() {
            keys = all.collect();
        }
        let shards = vec![(GatewayState::Ready, None); keys.len()];
        let (unavailable, available, sent) = (Vec::new(), Vec::new(), Vec::new());
        Self { sender, keys, shards, session: 0, seq: 0, version: 0, unavailable, available, sent }
    }

    fn session(&self) -> Option<Name> {
        self.sender.sessions.then(|| format!("s{}", self.session).into())
    }

    /// The places of the shards that these bits name; none is all.
    fn chosen(&self, ids: u8) -> Vec<usize> {
        let named: Vec<usize> = (0..self.keys.len()).filter(|place| ids >> place & 1 == 1).collect();
        if named.is_empty() { (0..self.keys.len()).collect() } else { named }
    }

    fn turn(&mut self, ids: u8, state: GatewayState, ack: Option<u32>) {
        for place in self.chosen(ids) {
            self.shards[place] = (state, ack);
        }
    }

    fn start_anew(&mut self) {
        self.session += 1;
        self.seq = 0;
        self.turn(0, GatewayState::Starting, None);
        self.unavailable.clear();
        self.available.clear();
    }

    fn beat(&mut self, rig: &mut Rig) -> Verdict {
        let beat = self.write();
        self.unavailable.clear();
        self.available.clear();
        hand_in(rig, Word::Beat(beat))
    }

    /// The next beat, which may or may not arrive.
    fn write(&mut self) -> Beat {
        self.seq += 1;
        let guilds = |residues: &[u8]| residues.iter().map(|residue| guild(u64::from(*residue) % RESIDUES, 0)).collect();
        let reports = self.keys.iter().zip(&self.shards).map(|(key, (state, ack))| ShardReport {
            key: *key,
            state: *state,
            latency_ms: None,
            ack_age_ms: ack.map(f64::from),
            guilds: None,
        });
        let beat = Beat {
            instance: self.sender.instance.map(Name::from),
            session: self.session(),
            seq: self.sender.sessions.then_some(self.seq),
            version: (self.version % 4 != 3).then(|| format!("{}", self.version).into()),
            interval: Duration::from_millis(self.sender.interval),
            shards: reports.collect(),
            unavailable: guilds(&self.unavailable),
            available: guilds(&self.available),
            warnings: Vec::new(),
        };
        self.sent.push(beat.clone());
        beat
    }
}
