//! What a stream takes goes with it, and is given back whenever and however it ends.

use std::pin::pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::time::{Instant, sleep, timeout};

use super::super::{Http, STALL};
use super::stage::{GUILD, Stage};
use super::valve::Valve;
use super::viewer::{SOON, Viewer};
use crate::clock::wall;
use crate::wire::sse::Framing;

/// How a viewer leaves.
#[derive(Debug, Clone, Copy)]
enum Leave {
    Close,
    Reset,
}

fn leave(viewer: Viewer, how: Leave) {
    if matches!(how, Leave::Reset) {
        SockRef::from(&viewer.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    drop(viewer);
}

#[tokio::test]
async fn a_viewer_that_leaves_before_its_stream_has_left_http_gives_all_back() {
    for how in [Leave::Close, Leave::Reset] {
        for cut in [0, 1, 200, 400] {
            let stage = Stage::new().await;
            let (mut viewer, accepted) = stage.connect().await;
            let valve = Valve::open();
            valve.let_pass(cut);
            let place = stage.place();
            let mut driving = Box::pin(stage.drive(accepted, &valve));
            viewer.send(&stage.stream()).await;
            assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
            assert_eq!((stage.open(), stage.app.common.metrics.connections.get()), (1, 1));
            leave(viewer, how);
            let (http, _socket) = timeout(SOON, driving).await.expect("that it is gone is noticed");
            assert!(matches!(http, Http::Ended(_)), "{how:?} at {cut}: {http:?}");
            drop((http, place));
            stage.all_is_given_back(&[("viewer", 1)]).await;
        }
    }
}

#[tokio::test]
async fn a_viewer_that_leaves_on_the_way_to_the_reactor_or_later_gives_all_back() {
    for how in [Leave::Close, Leave::Reset] {
        for adopted in [false, true] {
            let stage = Stage::new().await;
            let (mut viewer, accepted) = stage.connect().await;
            viewer.send(&stage.stream()).await;
            let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
            assert_eq!((stage.open(), stage.door.reactors.streams()), (1, 0));
            let place = stage.place();
            if adopted {
                stage.adopt(left, place);
                viewer.head().await;
                let (_retry, _hello, _status) = (viewer.event().await, viewer.event().await, viewer.event().await);
                stage.beat("ready", "1");
                viewer.event().await;
                assert_eq!((stage.open(), stage.door.reactors.streams()), (1, 1));
                leave(viewer, how);
            } else {
                leave(viewer, how);
                assert_eq!(stage.open(), 1, "nobody has looked yet");
                stage.adopt(left, place);
            }
            stage.all_is_given_back(&[("viewer", 1)]).await;
        }
    }
}

#[tokio::test]
async fn a_viewer_that_leaves_behind_more_than_is_read_at_once_gives_all_back() {
    let stage = Stage::new().await;
    let (mut viewer, accepted) = stage.connect().await;
    viewer.send(&stage.stream()).await;
    let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
    stage.adopt(left, stage.place());
    // What does not fit into the buffers of the kernel is taken while it is sent.
    timeout(SOON, viewer.send(&"x".repeat(16 << 20))).await.expect("it is read");
    drop(viewer);
    stage.all_is_given_back(&[("viewer", 1)]).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_on_the_way_gives_all_back() {
    let stage = Stage::new().await;
    let (mut viewer, accepted) = stage.connect().await;
    viewer.send(&stage.stream()).await;
    let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
    drop(left);
    stage.all_is_given_back(&[("viewer", 1)]).await;
}

/// Asks for a stream of which no more than this is taken.
async fn stalls(stage: &Stage, request: &str, cut: usize) {
    let (mut viewer, accepted) = stage.connect().await;
    let valve = Valve::open();
    valve.let_pass(cut);
    let mut driving = Box::pin(stage.drive(accepted, &valve));
    viewer.send(request).await;
    assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
    tokio::time::pause();
    let begin = Instant::now();
    let (http, _) = timeout(STALL * 2, driving).await.expect("it is given up");
    assert!(matches!(http, Http::Stalled), "{http:?}");
    let took = begin.elapsed();
    assert!(took >= STALL - Duration::from_millis(100) && took < STALL + Duration::from_secs(1), "{took:?}");
    tokio::time::resume();
    assert_eq!(stage.open(), 0, "cut at {cut}");
}

#[tokio::test]
async fn a_viewer_that_does_not_take_its_first_status_for_30_s_is_dropped_and_gives_all_back() {
    let stage = Stage::new().await;
    stalls(&stage, &stage.stream(), 0).await;
    stalls(&stage, &stage.stream(), 400).await;
    stage.all_is_given_back(&[("viewer", 2)]).await;
}

#[tokio::test]
async fn so_is_one_whose_first_statuses_are_more_than_hyper_keeps() {
    let stage = Stage::new().await;
    stage.beat("ready", &"\\u0001".repeat(128));
    let guilds: Vec<_> = (1..=100_u64).map(|class| ((class << 22) + 7).to_string()).collect();
    let request = stage.request(&format!("GET /api/v1/streams?guilds={} HTTP/1.1", guilds.join(",")), "");
    stalls(&stage, &request, 0).await;
    stage.all_is_given_back(&[("viewer", 1)]).await;
}

/// The seconds at which a token ends that holds for one to two seconds more, leeway included.
fn soon() -> (u64, i64) {
    let until = wall().unix_seconds() + 2;
    (until - 5, i64::try_from(until).unwrap() * 1000)
}

/// The stream says that its token has ended, and ends.
async fn expires(viewer: &mut Viewer, until: i64) {
    let goodbye = viewer.event().await;
    let late = wall().0 - until;
    assert!(goodbye.contains("goodbye\n") && goodbye.contains("{\"reason\":\"expired\""), "{goodbye}");
    assert!((0..2000).contains(&late), "{late} ms after the end of the token");
    assert_eq!(viewer.next().await, None);
}

#[tokio::test]
async fn the_end_of_the_token_goes_with_the_stream() {
    for (version, framing) in [("1.1", Framing::Chunked), ("1.0", Framing::UntilClose)] {
        let stage = Stage::new().await;
        let (exp, until) = soon();
        let line = format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/{version}");
        let (mut viewer, accepted) = stage.connect().await;
        viewer.framing = framing;
        viewer.send(&stage.request_until(&line, "", exp)).await;
        let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
        stage.adopt(left, stage.place());
        viewer.head().await;
        let (_retry, _hello, _status) = (viewer.event().await, viewer.event().await, viewer.event().await);
        expires(&mut viewer, until).await;
        drop(viewer);
        stage.all_is_given_back(&[("expired", 1)]).await;
    }
}

#[tokio::test]
async fn a_token_that_ends_on_the_way_ends_the_stream_as_soon_as_it_has_arrived() {
    let stage = Stage::new().await;
    let (exp, until) = soon();
    let (mut viewer, accepted) = stage.connect().await;
    let valve = Valve::open();
    valve.let_pass(100);
    let mut driving = pin!(stage.drive(accepted, &valve));
    viewer.send(&stage.request_until(&format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1"), "", exp)).await;
    assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
    while wall().0 < until {
        sleep(Duration::from_millis(10)).await;
    }
    valve.release();
    let left = timeout(SOON, driving).await.expect("it leaves");
    stage.adopt(left, stage.place());
    viewer.head().await;
    let (_retry, _hello, _status) = (viewer.event().await, viewer.event().await, viewer.event().await);
    expires(&mut viewer, until).await;
    drop(viewer);
    stage.all_is_given_back(&[("expired", 1)]).await;
}
