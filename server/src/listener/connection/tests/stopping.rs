//! The server stops while a stream is on its way.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::Http;
use super::stage::{Stage, meanwhile};
use super::valve::Valve;
use super::viewer::{SOON, Viewer};

/// Over how long the streams are let end in these tests.
const DRAIN: Duration = Duration::from_secs(2);

/// When the server begins to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    /// While the first status is cut.
    Cut,
    /// When the stream has left HTTP, and its reactor does not know it.
    OnTheWay,
    /// When the reactor was handed it.
    Adopted,
    /// When the reactor has written to it.
    Open,
}

fn stop(stage: &Stage) {
    stage.stopping.cancel();
    stage.door.reactors.drain(DRAIN);
}

async fn reads_its_beginning(viewer: &mut Viewer) {
    viewer.head().await;
    let (_retry, _hello, _status) = (viewer.event().await, viewer.event().await, viewer.event().await);
}

#[tokio::test]
async fn a_stream_that_is_anywhere_on_its_way_when_the_server_stops_gets_its_goodbye_within_the_drain() {
    for moment in [Stop::Cut, Stop::OnTheWay, Stop::Adopted, Stop::Open] {
        let stage = Stage::new().await;
        let (mut viewer, accepted) = stage.connect().await;
        let valve = Valve::open();
        valve.let_pass(300);
        let mut driving = pin!(stage.drive(accepted, &valve));
        viewer.send(&stage.stream()).await;
        assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
        let mut stopped = Instant::now();
        let mut stop_at = |now| {
            if now == moment {
                stop(&stage);
                stopped = Instant::now();
            }
        };
        stop_at(Stop::Cut);
        // The connection hears of it, and is not done.
        assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none(), "{moment:?}");
        valve.release();
        let left = timeout(SOON, driving).await.expect("it leaves");
        stop_at(Stop::OnTheWay);
        stage.adopt(left, stage.place());
        stop_at(Stop::Adopted);
        reads_its_beginning(&mut viewer).await;
        if moment == Stop::Open {
            stage.beat("ready", "1");
            assert_eq!(viewer.event().await, stage.says());
        }
        stop_at(Stop::Open);
        let goodbye = viewer.event().await;
        assert!(goodbye.contains("goodbye\n") && goodbye.contains("{\"reason\":\"shutdown\""), "{moment:?}: {goodbye}");
        assert_eq!(viewer.next().await, None);
        // A busy machine may be late.
        assert!(stopped.elapsed() < DRAIN + Duration::from_secs(1), "{moment:?}: {:?}", stopped.elapsed());
        drop(viewer);
        stage.all_is_given_back(&[("shutdown", 1)]).await;
    }
}

#[tokio::test]
async fn a_change_of_the_status_still_reaches_a_stream_that_arrives_while_the_server_stops() {
    let stage = Stage::new().await;
    stage.door.reactors.drain(DRAIN);
    let (mut viewer, accepted) = stage.connect().await;
    viewer.send(&stage.stream()).await;
    let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
    stage.beat("ready", "1");
    stage.adopt(left, stage.place());
    reads_its_beginning(&mut viewer).await;
    assert_eq!(viewer.event().await, stage.says());
    assert!(viewer.event().await.contains("goodbye\n"));
}

#[tokio::test]
async fn a_connection_on_which_no_stream_was_asked_for_ends_when_the_server_stops() {
    for asked in [false, true] {
        let stage = Stage::new().await;
        let (mut viewer, accepted) = stage.connect().await;
        let valve = Valve::open();
        let mut driving = pin!(stage.drive(accepted, &valve));
        if asked {
            let answered = async {
                viewer.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
                viewer.answer().await
            };
            assert_eq!(meanwhile(driving.as_mut(), answered).await.1, "ok\n");
        }
        stage.stopping.cancel();
        let (http, _) = timeout(SOON, driving).await.expect("it ends");
        assert!(matches!(http, Http::Ended(Ok(()))), "{http:?}");
        stage.all_is_given_back(&[]).await;
    }
}
