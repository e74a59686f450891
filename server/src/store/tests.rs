//! What is written in pieces is read back whole.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::changes::{Changes, State};
use super::database::{Database, Run, peek};
use super::file;
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
        let (mut database, _) = Database::open(folder.path(), NOW).unwrap();
        database.begin_run(Run { boot: 7, started: NOW }, NOW).unwrap();
        let mut state = State::default();
        for changes in all {
            let before = state.apply(&changes);
            database.save(&changes, &before).unwrap();
            let read = peek(folder.path()).unwrap();
            prop_assert_eq!((read.state.stored(), read.boot), (state.stored(), 7));
        }
        database.save_all(&state, &Changes::default()).unwrap();
        prop_assert_eq!(peek(folder.path()).unwrap().state.stored(), state.stored());
    }
}

/// How many locks there are of the file, as the kernel lists them.
fn locks(file: &Path) -> usize {
    let inode = format!(":{}", std::fs::metadata(file).unwrap().ino());
    let list = std::fs::read_to_string("/proc/locks").unwrap();
    list.lines().filter(|line| line.split_whitespace().any(|word| word.ends_with(&inode))).count()
}

#[test]
fn opening_the_database_again_takes_no_lock_from_those_who_read_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(Database::open(folder.path(), NOW).unwrap());
    let path = file::path(folder.path());
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM run").unwrap();
    let before = locks(&path);
    assert!(before > 0, "a reader holds a lock");
    drop(Database::open(folder.path(), NOW).unwrap());
    assert_eq!(locks(&path), before);
}

#[test]
fn old_lines_go_in_small_steps_and_a_clock_that_was_ahead_does_not_keep_them() {
    let day = 24 * 60 * 60 * 1000;
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = Database::open(folder.path(), NOW).unwrap();
    let mut raw = rusqlite::Connection::open(file::path(folder.path())).unwrap();
    let tx = raw.transaction().unwrap();
    // Of a clock that was a year ahead, of 200 days ago, and of today.
    for (lines, at) in [(2500, NOW.0 + 365 * day), (5000, NOW.0 - 200 * day), (10, NOW.0 - day)] {
        for _ in 0..lines {
            let sql = "INSERT INTO transition (at_ms, boot, seq, healthy, state, since_ms) VALUES (?, 1, 1, 1, 'online', 0)";
            tx.prepare_cached(sql).unwrap().execute([at]).unwrap();
        }
    }
    tx.commit().unwrap();
    let (mut after, mut steps) = (Some(0), 0);
    while let Some(line) = after {
        steps += 1;
        after = database.prune(line, UnixMillis(NOW.0 - 100 * day), NOW).unwrap();
    }
    let count = |sql: &str| raw.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM transition"), 2510);
    assert_eq!(count(&format!("SELECT count(*) FROM transition WHERE at_ms < {}", NOW.0 - 100 * day)), 0);
    assert!(steps > 3, "no step takes long");
}

#[test]
fn a_disk_that_damages_everything_is_not_filled_with_damaged_files() {
    let folder = tempfile::tempdir().unwrap();
    let faults = (0..20).map(|round| {
        std::fs::write(file::path(folder.path()), [round; 4096]).unwrap();
        Database::open(folder.path(), NOW).err()
    });
    let faults: Vec<_> = faults.collect();
    assert!(faults[..8].iter().all(Option::is_none) && faults[8..].iter().all(Option::is_some), "{faults:?}");
    assert!(faults[8].as_ref().unwrap().to_string().contains("8 damaged ones lie beside it"));
}
