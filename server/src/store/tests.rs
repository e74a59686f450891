//! What is written in pieces is read back whole.

use std::time::Duration;

use proptest::prelude::*;

use super::changes::{Changes, State};
use super::database::{Database, Run};
use crate::liveness::{StoredGeneration, StoredProcess, StoredShard};
use crate::wire::{GatewayState, GuildId, Reason, ShardKey, State as Word, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_795_378_020_000);

fn name() -> impl Strategy<Value = Option<std::sync::Arc<str>>> {
    prop_oneof![Just(None), "[a-c'\"; ]{0,3}".prop_map(|name| Some(name.into()))]
}

fn time() -> impl Strategy<Value = UnixMillis> {
    (0..4_i64).prop_map(|seconds| UnixMillis(NOW.0 + seconds))
}

fn process() -> impl Strategy<Value = StoredProcess> {
    let state = prop_oneof![Just(GatewayState::Ready), Just(GatewayState::Resuming)];
    // Beyond 2⁶³, where SQLite's integers end.
    let guild = (u64::MAX - 6..=u64::MAX).prop_map(|id| GuildId::new(id).unwrap());
    let unavailable = proptest::collection::btree_map(guild, time(), 0..5);
    (name(), name(), state, name(), 1000..60_000_u64, unavailable).prop_map(
        |(instance, session, state, version, interval, unavailable)| StoredProcess {
            instance,
            session,
            state,
            version,
            interval: Duration::from_millis(interval),
            unavailable: unavailable.into_iter().collect(),
        },
    )
}

fn shard() -> impl Strategy<Value = StoredShard> {
    let words = prop_oneof![
        Just((Word::Online, None)),
        Just((Word::Offline, Some(Reason::HeartbeatTimeout))),
        Just((Word::Maintenance, Some(Reason::Goodbye))),
    ];
    let times = (proptest::option::of(time()), proptest::option::of(time()), proptest::option::of(0..9_u64));
    let rest = (any::<bool>(), name(), proptest::collection::vec(process(), 0..4));
    ((0..3_u32, 3..5_u32), words, time(), times, rest).prop_map(
        |((id, count), (state, reason), since, (expected_back, last_heartbeat, ready), (was_ready, version, processes))| {
            StoredShard {
                key: ShardKey { id, count },
                state,
                reason,
                since,
                was_ready,
                expected_back,
                last_heartbeat,
                version,
                interval: Duration::from_millis(2000),
                first_ready: ready.map(Duration::from_millis),
                last_ready: ready.map(|time| Duration::from_millis(time + 1)),
                processes,
            }
        },
    )
}

fn changes() -> impl Strategy<Value = Changes> {
    let generations = (any::<bool>(), any::<bool>()).prop_map(|(three, counts)| {
        let count = |count| StoredGeneration { count, counts };
        if three { vec![count(3), count(4)] } else { vec![count(4)] }
    });
    let seen = proptest::collection::vec(((0..3_u32).prop_map(|id| ShardKey { id, count: 4 }), time()), 0..3);
    (proptest::collection::vec(shard(), 0..4), proptest::option::of(generations), seen).prop_map(
        |(shards, generations, seen)| Changes {
            shards: shards.into_iter().map(|shard| (shard.key, shard)).collect(),
            generations,
            seen,
            ..Changes::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_was_written_however_it_changed(all in proptest::collection::vec(changes(), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(folder.path(), NOW).unwrap();
        database.begin_run(Run { boot: 7, started: NOW }, NOW).unwrap();
        let mut state = State::default();
        for changes in all {
            let before = state.apply(&changes);
            database.save(&changes, &before).unwrap();
            let (read, boot) = database.read().unwrap();
            prop_assert_eq!((read.stored(), boot), (state.stored(), 7));
        }
        database.save_all(&state, &Changes::default()).unwrap();
        prop_assert_eq!(database.read().unwrap().0.stored(), state.stored());
    }
}
