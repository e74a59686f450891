//! The status changes while a stream is on its way from HTTP to its reactor.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::{Http, serve};
use super::stage::{Accepted, Stage};
use super::valve::Valve;
use super::viewer::{SOON, Viewer};

/// A change of the status on the way.
type Change = fn(&Stage);

/// Nothing, a change, several, and one that is undone.
const CHANGES: [(u64, Change); 5] = [
    (0, |_| {}),
    (1, |stage| stage.beat("ready", "new")),
    (1, Stage::goodbye),
    (2, |stage| {
        stage.beat("ready", "new");
        stage.goodbye();
    }),
    (2, |stage| {
        stage.beat("resuming", "old");
        stage.beat("ready", "old");
    }),
];

/// A stream whose first status is written down and not sent.
async fn on_its_way(stage: &Stage, change: impl FnOnce()) -> (Viewer, u64, (Http, tokio::net::TcpStream)) {
    let (mut viewer, accepted) = stage.connect().await;
    let valve = Valve::open();
    valve.let_pass(0);
    let mut driving = pin!(stage.drive(accepted, &valve));
    viewer.send(&stage.stream()).await;
    assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
    let old = stage.seq();
    change();
    valve.release();
    let left = timeout(SOON, driving).await.expect("it leaves");
    viewer.head().await;
    let (_retry, _hello) = (viewer.event().await, viewer.event().await);
    (viewer, old, left)
}

#[tokio::test]
async fn a_change_on_the_way_is_told_once_and_at_once_and_nothing_is_told_twice() {
    for (first, _) in CHANGES.iter().enumerate() {
        for (second, (_, after)) in CHANGES.iter().enumerate() {
            let stage = Stage::new().await;
            stage.beat("ready", "old");
            let (_, before) = CHANGES[first];
            let (mut viewer, old, left) = on_its_way(&stage, || before(&stage)).await;
            after(&stage);
            let what = format!("{first} before it has left, {second} after");
            assert_eq!(viewer.seq().await, old, "{what}: the status that it was opened with");
            let new = stage.seq();
            let told = stage.says();
            stage.adopt(left, stage.place());
            if new > old {
                assert_eq!(viewer.event().await, told, "{what}: the newest status, and none between");
            }
            // Had anything else been sent, it would come before this.
            stage.beat("ready", "next");
            assert!(stage.seq() > new);
            assert_eq!(viewer.event().await, stage.says(), "{what}: nothing else came");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_undone_on_the_way_is_told_as_the_newer_status_that_it_is() {
    let stage = Stage::new().await;
    stage.beat("ready", "old");
    let (undone, change) = CHANGES[4];
    let (mut viewer, old, left) = on_its_way(&stage, || change(&stage)).await;
    stage.adopt(left, stage.place());
    assert_eq!([viewer.seq().await, viewer.seq().await], [old, old + undone]);
    assert!(stage.says().contains("\"state\":\"online\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_arrive_while_a_shard_flaps_see_it_go_forward_only_and_end_with_its_newest_status() {
    let stage = Arc::new(Stage::new().await);
    let over = Arc::new(AtomicBool::new(false));
    let (flapping, done) = (stage.clone(), over.clone());
    let flaps = std::thread::spawn(move || {
        while !done.load(Ordering::SeqCst) {
            flapping.beat("resuming", "1");
            flapping.beat("ready", "1");
            std::thread::yield_now();
        }
        flapping.beat("ready", "last");
    });
    let mut serving = JoinSet::new();
    let mut viewers = Vec::new();
    for _ in 0..200 {
        let (mut viewer, Accepted { socket, peer }) = stage.connect().await;
        viewer.send(&stage.stream()).await;
        serving.spawn(serve(socket, peer, stage.door.clone(), stage.place(), stage.stopping.clone()));
        viewer.head().await;
        let (_retry, _hello) = (viewer.event().await, viewer.event().await);
        viewers.push((viewer.seq().await, viewer));
    }
    while serving.join_next().await.is_some() {}
    over.store(true, Ordering::SeqCst);
    flaps.join().unwrap();
    let newest = stage.seq();
    for (mut seen, mut viewer) in viewers {
        while seen < newest {
            let seq = viewer.seq().await;
            assert!(seq > seen, "{seq} after {seen}");
            seen = seq;
        }
        assert_eq!(seen, newest);
    }
    stage.all_is_given_back(&[("viewer", 200)]).await;
}
