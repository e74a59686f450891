//! A database of which the end is missing, or all of it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::{Instant, sleep};

use crate::support::database::{is_well, wal};
use crate::support::{GUILD, Place, Process, RECOVERY, SOON, Sample, Viewer, eventually, now_ms, say};

fn truncate(file: &Path, length: u64) {
    File::options().write(true).open(file).unwrap().set_len(length).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_database_never_keeps_the_server_from_starting() {
    let sample = Sample::make().await;
    let page = 4096;
    for killed in [false, true] {
        let whole = sample.length(killed);
        for cut in [0, 1, 50, 100, page / 2, page, page + page / 2, whole / 2, whole - page, whole - 1] {
            let place = sample.place(killed);
            truncate(&place.file(), cut);
            sample.must_survive(&place, &format!("cut to {cut} of {whole} bytes, killed: {killed}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_log_never_keeps_the_server_from_starting() {
    let sample = Sample::make().await;
    let whole = fs::metadata(wal(&sample.place(true).file())).unwrap().len();
    for cut in [0, 1, 31, 32, 100, 2048, whole / 2, whole - 1] {
        let place = sample.place(true);
        truncate(&wal(&place.file()), cut);
        sample.must_survive(&place, &format!("log cut to {cut} of {whole} bytes")).await;
    }
}

/// A server that has just written a little.
async fn busy() -> (Place, Process, Viewer) {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    for round in 0..200 {
        place.change(&mut viewer, &format!("{round:0>100}")).await;
    }
    (place, server, viewer)
}

fn cut(file: &Path, percent: u64) {
    truncate(file, fs::metadata(file).unwrap().len() * percent / 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_while_it_is_in_use_stops_nothing_and_is_sound_soon_after() {
    for percent in [0, 50] {
        let (place, server, mut viewer) = busy().await;
        cut(&place.file(), percent);
        let mut round = 0;
        let well = async || {
            round += 1;
            let status = place.change(&mut viewer, &format!("cut-{round}")).await;
            let ready = place.readiness(place.addr).await.unwrap().0 == 200;
            (ready && is_well(&place.file(), &status)).then_some(status)
        };
        let what = format!("{percent} % of the database left: ready and sound");
        let status = eventually(&what, Duration::from_secs(20), well).await;
        server.kill().await;
        let server = place.start().await;
        assert_eq!(place.status(GUILD).await["since"], status["since"], "{what}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_which_only_old_lines_are_cut_off_is_missed_as_well() {
    let place = Place::new();
    // So much that what is written now and then is far from what is cut off.
    let server = place.start().await;
    server.stop().await;
    let database = Connection::open(place.file()).unwrap();
    let line = "INSERT INTO transition (at_ms, boot, seq, healthy, state, since_ms)
                SELECT ?, 1, value, 1, 'online', 0 FROM generate_lines";
    let lines = "WITH RECURSIVE generate_lines (value) AS
                 (SELECT 1 UNION ALL SELECT value + 1 FROM generate_lines WHERE value < 50000)";
    database.execute(&format!("{lines} {line}"), [now_ms()]).unwrap();
    drop(database);
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    place.change(&mut viewer, "before").await;
    // The look through everything that a start begins with is over before the cut: it is not what
    // finds it.
    let length = fs::metadata(place.file()).unwrap().len();
    sleep(Duration::from_secs(2)).await;
    truncate(&place.file(), length / 2);
    let aside = async || (!place.set_aside().is_empty()).then_some(());
    eventually("the file that was cut is set aside", SOON * 3, aside).await;
    let mut round = 0;
    let well = async || {
        round += 1;
        let status = place.change(&mut viewer, &format!("after-{round}")).await;
        is_well(&place.file(), &status).then_some(())
    };
    eventually("a sound database", SOON, well).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_cut_while_it_is_in_use_stops_nothing_and_the_next_start_has_a_sound_database() {
    for percent in [0, 50] {
        let (place, server, mut viewer) = busy().await;
        cut(&wal(&place.file()), percent);
        // SQLite itself does not notice: it has an index of what it wrote, and goes on behind it.
        for round in 0..50 {
            place.change(&mut viewer, &format!("cut-{round}")).await;
        }
        server.kill().await;
        let server = place.start().await;
        let status = place.change(&mut place.watch(GUILD).await, "after").await;
        let well = async || {
            let ready = place.readiness(place.addr).await.unwrap().0 == 200;
            (ready && is_well(&place.file(), &status)).then_some(())
        };
        eventually(&format!("{percent} % of the log left: ready and sound"), SOON, well).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_removed_is_missed_within_11_s_and_begun_anew() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    place.change(&mut viewer, "before").await;
    fs::remove_dir_all(place.data()).unwrap();
    let removed = Instant::now();
    let noticed = async || (!place.lines("the database was moved or removed").is_empty()).then_some(());
    eventually("noticed", Duration::from_secs(11), noticed).await;
    say(&format!("removed folder: noticed after {:.1?}", removed.elapsed()));
    let status = place.change(&mut viewer, "after").await;
    place.ready_within(RECOVERY).await;
    assert_eq!(place.lines("the store cannot be written").len(), 1, "{}", place.log());
    let stored = async || is_well(&place.file(), &status).then_some(());
    eventually("the transition in the log", SOON, stored).await;
    server.kill().await;
    let server = place.start().await;
    assert_eq!(place.status(GUILD).await["since"], status["since"]);
    server.stop().await;
}
