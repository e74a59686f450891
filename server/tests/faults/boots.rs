//! The number of a run grows, whatever the clock and the disk do.

use rusqlite::Connection;
use serde_json::json;

use crate::support::{GUILD, Place, Process, SOON, beat_of, eventually, now_ms, revision, shards};

/// The number of the run that serves the place.
async fn boot(place: &Place) -> u64 {
    revision(&place.status(GUILD).await).0
}

fn unix_seconds() -> u64 {
    u64::try_from(now_ms() / 1000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn boot_grows_over_starts_within_one_second_even_if_each_is_killed() {
    let place = Place::new();
    let mut last = 0;
    for _ in 0..8 {
        let server = place.start().await;
        let next = boot(&place).await;
        assert!(next > last, "{next} after {last}");
        last = next;
        server.kill().await;
    }
    assert!(last >= unix_seconds(), "eight starts take less than eight seconds, or each has its own second");
}

#[tokio::test(flavor = "multi_thread")]
async fn boot_grows_when_the_clock_was_set_back() {
    let place = Place::new();
    place.start().await.stop().await;
    let future = unix_seconds() + 1_000_000;
    Connection::open(place.file())
        .unwrap()
        .execute("INSERT INTO run VALUES (?1, ?1 * 1000, ?1 * 1000, NULL)", [future])
        .unwrap();
    for grown in 1..=2 {
        let server = place.start().await;
        assert_eq!(boot(&place).await, future + grown);
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boot_is_at_least_the_unix_second_when_the_store_was_lost() {
    let place = Place::new();
    for _ in 0..2 {
        let before = unix_seconds();
        let server = place.start().await;
        assert!((before..=unix_seconds()).contains(&boot(&place).await));
        server.stop().await;
        std::fs::remove_dir_all(place.data()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_is_in_the_table_with_its_end_if_it_had_one() {
    let place = Place::new();
    let server = place.start().await;
    place.beat(&json!({"shards": shards([0], 1, "ready")})).await;
    server.kill().await;
    let server = place.start().await;
    place.beat(&beat_of("2")).await;
    let before = now_ms();
    server.stop().await;
    let database = place.database();
    assert_eq!(database.number("SELECT count(*) FROM run WHERE ended_ms IS NULL", ()), 1, "the one that was killed");
    let ended = database.number("SELECT ended_ms FROM run WHERE boot = (SELECT max(boot) FROM run)", ());
    assert!((before..=now_ms()).contains(&ended), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_does_not_touch_the_data_folder_of_a_server_that_has_the_address() {
    let place = Place::new();
    let server = place.start().await;
    let first = boot(&place).await;
    let mut second: Process = place.spawn();
    assert_eq!(second.ended().await.code(), Some(2));
    assert_eq!(place.lines("cannot listen").len(), 1, "{}", place.log());
    assert_eq!(boot(&place).await, first);
    place.beat(&beat_of("1")).await;
    let logged = async || (place.database().number("SELECT count(*) FROM transition", ()) > 0).then_some(());
    eventually("the transition in the log", SOON, logged).await;
    assert_eq!(place.database().number("SELECT count(*) FROM run", ()), 1);
    server.stop().await;
}
