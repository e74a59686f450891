//! Somebody else has the database.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::time::Instant;

use crate::support::{GUILD, Place, RECOVERY, SOON, eventually, revision};

const REASON: &str = "another process holds the lock of the database";

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_while_running_stops_nothing_and_what_waited_is_stored_when_it_is_gone() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    place.change(&mut viewer, "before").await;
    let mut other = Connection::open(place.file()).unwrap();
    other.busy_timeout(SOON).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut waited = Vec::new();
    let locked = Instant::now();
    for round in 0.. {
        waited.push(place.change(&mut viewer, &format!("locked-{round}")).await);
        if locked.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    place.unready_because(REASON, SOON).await;
    assert_eq!(place.lines("the store cannot be written").len(), 1, "{}", place.log());
    drop(lock);
    place.ready_within(RECOVERY).await;
    let database = place.database();
    assert!(waited.iter().all(|status| database.has(status)), "what waited is in the log");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_at_the_start_costs_nothing_that_is_known() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let online = place.change(&mut viewer, "before").await;
    server.stop().await;
    let mut other = Connection::open(place.file()).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Exclusive).unwrap();
    let server = place.start_unready().await;
    place.unready_because(REASON, SOON).await;
    let restored = place.status(GUILD).await;
    assert_eq!((&restored["healthy"], &restored["since"]), (&true.into(), &online["since"]));
    assert!(revision(&restored) > revision(&online));
    let mut viewer = place.watch(GUILD).await;
    let status = place.change(&mut viewer, "locked").await;
    drop(lock);
    place.ready_within(RECOVERY).await;
    assert!(place.database().has(&status));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_waits_for_the_folder_and_takes_it_over_when_the_first_one_ends() {
    let first = Place::new();
    let second = first.beside();
    let one = first.start().await;
    let mut viewer = first.watch(GUILD).await;
    let before = first.change(&mut viewer, "first").await;
    let stored = async || first.database().has(&before).then_some(());
    eventually("the transition in the log", SOON, stored).await;

    let two = second.start_unready().await;
    second.unready_because("another guildpulse uses the data folder", SOON).await;
    let restored = second.status(GUILD).await;
    assert_eq!((&restored["healthy"], &restored["since"]), (&true.into(), &before["since"]));
    assert!(revision(&restored) > revision(&before), "the number of its run is its own");
    let mut viewer = second.watch(GUILD).await;
    let status = second.change(&mut viewer, "second").await;
    assert_eq!(first.readiness(first.addr).await.unwrap().0, 200, "the first one is not disturbed");
    one.stop().await;
    second.ready_within(RECOVERY).await;
    let database = second.database();
    assert!(database.has(&status) && database.has(&before), "the log is that of both");
    assert_eq!(second.lines("the store cannot be written").len(), 1, "{}", second.log());
    two.kill().await;
    let three = second.start().await;
    assert_eq!(second.status(GUILD).await["version"], "second");
    three.stop().await;
}
