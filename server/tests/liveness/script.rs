//! Random scripts: a few senders of a bot, what they say, what is lost, and how time passes.
//!
//! A step names its sender and shards by number, taken modulo what there is, so that every
//! script has a meaning and shrinks well.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use guildpulse::wire::GatewayState;

/// A process of the bot, or several that share a name.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) instance: Option<&'static str>,
    /// Its beats carry a session and a number.
    pub(crate) sessions: bool,
    pub(crate) count: u32,
    /// Which shards it runs, one bit each; none is all.
    pub(crate) ids: u8,
    pub(crate) interval: u64,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A sender beats, saying that these shards have turned to this state. It stays so.
    Says(usize, u8, GatewayState, Option<u32>),
    /// A sender beats, as it is.
    Beats(usize),
    /// All senders beat at once.
    AllBeat,
    /// A beat is lost on the way.
    Lost(usize),
    /// A beat that was sent this many beats ago arrives, once more or late.
    Again(usize, usize),
    /// A sender is another version from its next beat on; every fourth names none.
    Version(usize, u8),
    /// A sender starts anew, silently.
    Restarts(usize),
    /// A sender reports a guild in its next beat.
    Reports(usize, u8, Report),
    /// A sender takes its leave.
    Leaves(usize, Leave),
    /// Time passes.
    Passes(Time),
    /// Time passes while these senders, one bit each, go on beating for so many rounds.
    Beating(u8, u8),
    /// What is due now happens.
    Tick,
    /// The machine sleeps for so many milliseconds.
    Sleeps(u32),
    /// The loop wakes so many milliseconds late.
    Late(u32),
    /// Our own server is away for so many milliseconds and starts anew.
    Restart(u32),
}

/// A change of a guild's availability.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Report {
    Unavailable,
    Available,
}

/// How a sender leaves.
#[derive(Debug, Clone)]
pub(crate) struct Leave {
    pub(crate) names_session: bool,
    /// The shards it names, one bit each; none is no list.
    pub(crate) ids: u8,
    pub(crate) back: Option<u32>,
}

/// How time passes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// To just before the next deadline.
    BeforeDeadline,
    /// To the next deadline, where beats still come before it.
    ToDeadline,
    /// To the next deadline, which is then over.
    PastDeadline,
    /// By so many milliseconds.
    By(u32),
    /// By so few milliseconds that the loop is not late, although it looks at no timer.
    Linger(u32),
}

/// Who is there, and what happens.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) senders: Vec<Sender>,
    pub(crate) steps: Vec<Step>,
}

/// One line for each sender and step, which proptest prints when it has found the shortest script.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.senders.iter().try_for_each(|sender| write!(f, "\n  {sender:?}"))?;
        self.steps.iter().try_for_each(|step| write!(f, "\n  {step:?}"))
    }
}

/// What kind of senders a script may have: name, and whether they have sessions.
const KINDS: [(Option<&str>, bool); 5] =
    [(Some("w1"), true), (Some("w2"), true), (None, true), (None, false), (Some("w3"), false)];
/// Intervals around the ends of the slack, and the ends of what is allowed.
const INTERVALS: [u64; 9] = [1000, 1999, 2000, 2001, 5000, 19_999, 20_000, 24_000, 60_000];
/// Times around every constant of the rules.
const TIMES: [u32; 14] = [0, 1, 499, 500, 2000, 2500, 4500, 14_999, 15_000, 15_001, 29_999, 30_000, 60_000, 600_000];

/// Scripts of a bot with these counts of shards at the same time.
pub(crate) fn scripts(counts: impl Strategy<Value = Vec<u32>>, longest: usize) -> impl Strategy<Value = Script> {
    (counts, subsequence(KINDS.to_vec(), 1..=4)).prop_flat_map(move |(counts, kinds)| {
        let senders: Vec<_> = kinds.into_iter().map(|kind| sender(kind, counts.clone())).collect();
        (senders, vec(step(), 1..longest)).prop_map(|(senders, steps)| Script { senders, steps })
    })
}

/// One generation, mostly of several shards.
pub(crate) fn one_generation() -> impl Strategy<Value = Vec<u32>> {
    select(vec![1_u32, 2, 3, 4, 4, 6, 6]).prop_map(|count| vec![count])
}

/// Two or three generations; the rules speak of one shard beside one other generation.
pub(crate) fn generations() -> impl Strategy<Value = Vec<u32>> {
    let with_one = select(vec![2_u32, 3, 4, 6]).prop_map(|other| vec![1, other]);
    prop_oneof![1 => with_one, 2 => subsequence(vec![2_u32, 3, 4, 6], 2..=3)]
}

fn sender((instance, sessions): (Option<&'static str>, bool), counts: Vec<u32>) -> impl Strategy<Value = Sender> {
    let interval = prop_oneof![2 => Just(2000), 2 => select(INTERVALS.to_vec()), 1 => 1000..=60_000_u64];
    let ids = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    (select(counts), ids, interval).prop_map(move |(count, ids, interval)| Sender {
        instance,
        sessions,
        count,
        ids,
        interval,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..4_usize;
    let mask = || prop_oneof![2 => Just(0), 2 => any::<u8>()];
    prop_oneof![
        14 => (who(), mask(), state(), ack()).prop_map(|(who, ids, state, ack)| Step::Says(who, ids, state, ack)),
        8 => who().prop_map(Step::Beats),
        6 => Just(Step::AllBeat),
        3 => who().prop_map(Step::Lost),
        4 => (who(), 0..4_usize).prop_map(|(who, ago)| Step::Again(who, ago)),
        3 => (who(), 0..8_u8).prop_map(|(who, version)| Step::Version(who, version)),
        4 => who().prop_map(Step::Restarts),
        5 => (who(), 0..12_u8, report()).prop_map(|(who, residue, report)| Step::Reports(who, residue, report)),
        5 => (who(), leave()).prop_map(|(who, leave)| Step::Leaves(who, leave)),
        20 => time().prop_map(Step::Passes),
        6 => (any::<u8>(), 1..12_u8).prop_map(|(senders, rounds)| Step::Beating(senders, rounds)),
        2 => Just(Step::Tick),
        2 => (1..200_000_u32).prop_map(Step::Sleeps),
        2 => prop_oneof![Just(251_u32), 251..5000_u32].prop_map(Step::Late),
        2 => (0..20_000_u32).prop_map(Step::Restart),
    ]
}

fn state() -> impl Strategy<Value = GatewayState> {
    use GatewayState as G;
    prop_oneof![
        5 => Just(G::Ready),
        7 => select(vec![G::Starting, G::Identifying, G::Resuming, G::Reconnecting, G::Disconnected, G::Resuming]),
        1 => Just(G::Fatal),
    ]
}

fn ack() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![8 => Just(None), 2 => select(vec![Some(900), Some(90_000), Some(90_001)])]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![3 => Just(Report::Unavailable), 1 => Just(Report::Available)]
}

fn leave() -> impl Strategy<Value = Leave> {
    let back = prop_oneof![1 => Just(None), 1 => select(vec![Some(1), Some(3000), Some(20_000), Some(700_000)])];
    let ids = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    (any::<bool>(), ids, back).prop_map(|(names_session, ids, back)| Leave { names_session, ids, back })
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        2 => Just(Time::BeforeDeadline),
        4 => Just(Time::ToDeadline),
        4 => Just(Time::PastDeadline),
        4 => select(TIMES.to_vec()).prop_map(Time::By),
        4 => (0..10_000_u32).prop_map(Time::By),
        1 => (1..250_u32).prop_map(Time::Linger),
    ]
}
