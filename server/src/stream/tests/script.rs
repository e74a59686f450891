//! What may happen to a reactor and its viewers, in any order.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;

/// How many guilds there are.
pub(super) const GUILDS: u64 = 100;
/// The numbers of shards that the bot may run with.
pub(super) const COUNTS: [u32; 3] = [2, 3, 4];

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A stream is opened, and handed over at once or later.
    Open {
        guilds: Vec<u64>,
        chunked: bool,
        token_ms: Option<i64>,
        now: bool,
    },
    /// All streams that were opened are handed over.
    Arrive,
    /// A viewer hangs up, or its connection is reset.
    Leave {
        who: Index,
        reset: bool,
    },
    /// A beat of one shard or of all.
    Beat {
        instance: usize,
        count: usize,
        shard: Option<Index>,
        state: usize,
        version: usize,
    },
    /// An instance says goodbye, perhaps to come back.
    Goodbye {
        instance: usize,
        back: bool,
    },
    /// A guild becomes unavailable, or available again.
    Exception {
        guild: u64,
        begins: bool,
    },
    /// One turn, whether or not it was enough.
    Turn,
    /// Everything that can be done is done, and checked.
    Settle,
    /// A viewer reads no more.
    Stop {
        who: Index,
    },
    /// A viewer that stopped reads so much.
    Read {
        who: Index,
        bytes: usize,
    },
    /// It goes on reading.
    CatchUp {
        who: Index,
    },
    Pass {
        ms: u64,
    },
    /// The machine sleeps.
    Sleep {
        ms: u64,
    },
    /// The server stops.
    Drain {
        ms: u64,
    },
}

pub(super) fn scripts() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 10..70)
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<Index>;
    prop_oneof![
        6 => open(),
        2 => Just(Step::Arrive),
        2 => (who(), any::<bool>()).prop_map(|(who, reset)| Step::Leave { who, reset }),
        12 => beat(),
        2 => (0..2_usize, any::<bool>()).prop_map(|(instance, back)| Step::Goodbye { instance, back }),
        4 => (guild(), any::<bool>()).prop_map(|(guild, begins)| Step::Exception { guild, begins }),
        4 => Just(Step::Turn),
        8 => Just(Step::Settle),
        3 => who().prop_map(|who| Step::Stop { who }),
        6 => (who(), 1..3000_usize).prop_map(|(who, bytes)| Step::Read { who, bytes }),
        3 => who().prop_map(|who| Step::CatchUp { who }),
        4 => prop_oneof![1..2000_u64, 1..20_000_u64].prop_map(|ms| Step::Pass { ms }),
        1 => (1..20_000_u64).prop_map(|ms| Step::Sleep { ms }),
        // Nothing comes after it but its end, so it is rare.
        1 => prop_oneof![9 => Just(Step::Settle), 1 => (0..10_000_u64).prop_map(|ms| Step::Drain { ms })],
    ]
}

/// Some guilds are in everybody's mouth.
fn guild() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..6_u64, 1 => 0..GUILDS]
}

fn open() -> impl Strategy<Value = Step> {
    let guilds = prop_oneof![
        5 => guild().prop_map(|guild| vec![guild]),
        4 => btree_set(guild(), 2..8).prop_map(|guilds| guilds.into_iter().collect()),
        1 => Just((0..GUILDS).collect()),
    ];
    let token = prop_oneof![2 => Just(None), 1 => (0..60_000_i64).prop_map(Some)];
    let now = prop_oneof![3 => Just(true), 1 => Just(false)];
    (guilds, any::<bool>(), token, now).prop_map(|(guilds, chunked, token_ms, now)| Step::Open {
        guilds,
        chunked,
        token_ms,
        now,
    })
}

fn beat() -> impl Strategy<Value = Step> {
    let shard = prop_oneof![3 => Just(None), 1 => any::<Index>().prop_map(Some)];
    let state = prop_oneof![5 => Just(0), 1 => 0..4_usize];
    (0..2_usize, 0..COUNTS.len(), shard, state, 0..3_usize).prop_map(|(instance, count, shard, state, version)| Step::Beat {
        instance,
        count,
        shard,
        state,
        version,
    })
}
