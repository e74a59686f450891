//! A database with something else in it than we wrote.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::support::database::{Database, wal};
use crate::support::sample::LOUD;
use crate::support::{GUILD, Place, SOON, Sample, eventually, say};

const PAGE: u64 = 4096;

/// Writes random bytes over a part of the file.
fn garble(file: &Path, from: u64, length: u64, random: &mut StdRng) {
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    random.fill_bytes(&mut bytes);
    File::options().write(true).open(file).unwrap().write_all_at(&bytes, from).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbled_database_never_keeps_the_server_from_starting() {
    let sample = Sample::make().await;
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        for killed in [false, true] {
            let whole = sample.length(killed);
            let page = random.random_range(1..whole / PAGE) * PAGE;
            for (from, length) in [(0, 100), (0, PAGE), (page, PAGE), (0, whole), (random.random_range(0..whole), 1)] {
                let place = sample.place(killed);
                garble(&place.file(), from, length, &mut random);
                let what = format!("{length} bytes garbled from {from}, seed {seed}, killed: {killed}");
                sample.must_survive(&place, &what).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbled_log_never_keeps_the_server_from_starting() {
    let sample = Sample::make().await;
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let whole = fs::metadata(wal(&sample.place(true).file())).unwrap().len();
        let somewhere = random.random_range(32..whole - PAGE);
        for (from, length) in [(0, 32), (somewhere, PAGE), (0, whole)] {
            let place = sample.place(true);
            garble(&wal(&place.file()), from, length, &mut random);
            sample.must_survive(&place, &format!("{length} bytes of the log garbled from {from}, seed {seed}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_only_a_look_at_everything_finds_leads_to_a_new_database_without_a_restart() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let online = place.change(&mut viewer, "before").await;
    server.stop().await;
    // Pages in the middle of a log this long are read by nothing at the start.
    let database = rusqlite::Connection::open(place.file()).unwrap();
    let lines = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
                 INSERT INTO transition SELECT NULL, at_ms, boot, -n, shard_count, shard_id, guild_id, healthy, state, reason,
                 version, since_ms, expected_back_ms FROM transition, n";
    database.execute(lines, ()).unwrap();
    drop(database);
    let middle = fs::metadata(place.file()).unwrap().len() / PAGE / 2 * PAGE;
    garble(&place.file(), middle, PAGE, &mut StdRng::seed_from_u64(0));

    let server = place.spawn();
    let found = async || (place.set_aside().len() == 1).then_some(());
    eventually("set aside", SOON, found).await;
    place.ready_within(SOON).await;
    assert_eq!(place.lines(LOUD).len(), 1, "{}", place.log());
    let mut viewer = place.watch(GUILD).await;
    let status = place.change(&mut viewer, "after").await;
    assert_eq!(status["since"], online["since"], "what was known is known");
    let stored = async || place.database().has(&status).then_some(());
    eventually("the transition in the log", SOON, stored).await;
    server.kill().await;
    let server = place.start().await;
    let restored = place.status(GUILD).await;
    assert_eq!((&restored["since"], &restored["version"]), (&online["since"], &"after".into()));
    server.stop().await;
    assert_eq!(place.lines(LOUD).len(), 1, "{}", place.log());
}

/// Starts a server on a database of a newer version; it must refuse. Returns what was there before
/// and what is there after it.
async fn refuse(place: &Place) -> (Vec<u8>, Vec<u8>) {
    let before = fs::read(place.file()).unwrap();
    let mut server = place.spawn();
    assert_eq!(server.ended().await.code(), Some(2));
    let said = place.lines("newer guildpulse");
    assert_eq!(said.len(), 1, "{}", place.log());
    assert!(said[0].contains("start the version that wrote it, or name another data folder"), "{said:?}");
    (before, fs::read(place.file()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_in_one_line_and_not_touched() {
    let sample = Sample::make().await;
    let place = sample.place(false);
    Database::look(&place.file());
    let database = rusqlite::Connection::open(place.file()).unwrap();
    database.pragma_update(None, "user_version", 2).unwrap();
    drop(database);
    let (before, after) = refuse(&place).await;
    assert!(before == after, "the file was changed");
    assert_eq!(place.log().lines().count(), 1, "{}", place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_that_was_killed_is_refused_and_not_touched() {
    let sample = Sample::make().await;
    let place = sample.place(false);
    // It is kept open, so that its log stays beside it, as after a kill.
    let newer = rusqlite::Connection::open(place.file()).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    let other = Place::new();
    fs::create_dir(other.data()).unwrap();
    fs::copy(place.file(), other.file()).unwrap();
    fs::copy(wal(&place.file()), wal(&other.file())).unwrap();
    let log = fs::read(wal(&other.file())).unwrap();
    let (before, after) = refuse(&other).await;
    let untouched = before == after && fs::read(wal(&other.file())).is_ok_and(|after| after == log);
    say(&format!("newer version with a log: untouched: {untouched}"));
    assert!(untouched, "the file or its log was changed");
    drop(newer);
}
