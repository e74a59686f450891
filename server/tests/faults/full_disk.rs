//! A disk with no room left, while running and at the start.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{GUILD, Place, RECOVERY, SOON, Viewer, beat_of, eventually, not_shown};

/// As small as a disk can be and still hold a database that works.
const DISK: u64 = 1024 * 1024;
const FULL: &str = "the disk is full";
const LOUD: &str = "the store cannot be written";

/// Changes something until the writer notices that there is no room.
async fn until_it_is_noticed(place: &Place, viewer: &mut Viewer, name: &str) {
    let deadline = Instant::now() + SOON + SOON;
    for round in 0.. {
        place.change(viewer, &format!("{name}-{round}")).await;
        if place.readiness(place.addr).await.unwrap().0 == 503 {
            return;
        }
        assert!(Instant::now() < deadline, "it is still ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_neither_beats_nor_streams_and_what_waited_is_stored_when_there_is_room() {
    let claim = "a full disk while running";
    let Some(place) = Place::on_volume(DISK).await else { return not_shown(claim, "no mount") };
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let online = place.change(&mut viewer, "before").await;
    place.volume().fill();
    until_it_is_noticed(&place, &mut viewer, "filling").await;
    place.unready_because(FULL, SOON).await;

    // Several tries fail in this time.
    let mut waited = Vec::new();
    let noticed = Instant::now();
    for round in 0.. {
        waited.push(place.change(&mut viewer, &format!("waiting-{round}")).await);
        if noticed.elapsed() > Duration::from_millis(3500) {
            break;
        }
    }
    place.unready_because(FULL, SOON).await;
    assert_eq!(place.lines(LOUD).len(), 1, "{}", place.log());

    place.volume().free();
    place.ready_within(RECOVERY).await;
    assert_eq!(place.metric("guildpulse_store_writable").await, 1);
    assert_eq!(place.metric("guildpulse_transitions_lost_total").await, 0);
    let database = place.database();
    for status in waited.iter().chain([&online]) {
        assert!(database.has(status), "not in the log: {status}");
    }
    drop(database);
    let last = place.change(&mut viewer, "after").await;
    server.stop().await;
    let server = place.start().await;
    let restored = place.status(GUILD).await;
    assert_eq!((&restored["state"], &restored["healthy"]), (&"unknown".into(), &true.into()));
    assert_eq!((&restored["since"], &restored["version"]), (&last["since"], &last["version"]));
    server.stop().await;
}

/// Fills the disk of a server that has ended, and starts the next one.
async fn start_on_a_full_disk(place: &Place) {
    place.volume().fill();
    let before = place.lines(LOUD).len();
    let server = place.start_unready().await;
    let restored = place.status(GUILD).await;
    assert_eq!((&restored["reason"], &restored["healthy"]), (&"server_restarted".into(), &true.into()), "{}", place.log());
    assert_eq!(restored["version"], "before");
    let mut viewer = place.watch(GUILD).await;
    assert_eq!(place.change(&mut viewer, "while full").await["since"], restored["since"]);
    place.unready_because(FULL, SOON).await;
    place.volume().free();
    place.ready_within(RECOVERY).await;
    assert_eq!(place.lines(LOUD).len(), before + 1, "{}", place.log());
    let status = place.change(&mut viewer, "before").await;
    let stored = async || place.database().has(&status).then_some(());
    eventually("the transition in the log", SOON, stored).await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_full_disk_reads_what_is_known_and_recovers_when_there_is_room() {
    let claim = "a start on a full disk";
    let Some(place) = Place::on_volume(DISK).await else { return not_shown(claim, "no mount") };
    let server = place.start().await;
    place.beat(&beat_of("before")).await;
    server.stop().await;
    // After a stop there is no log beside the database; after a kill there is.
    start_on_a_full_disk(&place).await;
    start_on_a_full_disk(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_on_a_full_disk_serves_from_memory_until_there_is_room() {
    let claim = "a first start on a full disk";
    let Some(place) = Place::on_volume(DISK).await else { return not_shown(claim, "no mount") };
    place.volume().fill();
    let server = place.start_unready().await;
    let mut viewer = place.watch(GUILD).await;
    let status = place.change(&mut viewer, "1").await;
    place.unready_because(FULL, SOON).await;
    place.volume().free();
    place.ready_within(RECOVERY).await;
    assert!(place.database().has(&status));
    server.stop().await;
}
