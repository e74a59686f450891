//! Wherever the socket stops taking, the stream leaves after its last byte and not before.

use std::pin::pin;

use tokio::time::timeout;

use super::stage::{BOT_TOKEN, GUILD, Stage, meanwhile};
use super::valve::Valve;
use super::viewer::{SOON, Viewer};
use crate::wire::sse::Framing;

/// A request that was answered before on the same connection.
fn json(stage: &Stage) -> String {
    stage.request(&format!("GET /api/v1/statuses?guilds={GUILD} HTTP/1.1"), "")
}

fn post() -> String {
    let body = r#"{"instance":"b"}"#;
    format!(
        "POST /api/v1/goodbye HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOT_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// All that the viewer has is the head and the first status, whole and once.
async fn has_its_beginning(viewer: &mut Viewer, arrived: usize, status: &str) {
    viewer.arrived(arrived).await;
    assert!(viewer.head().await.contains(" 200 OK\r\n"));
    let retry = viewer.event().await;
    assert!(retry.strip_prefix("retry: ").is_some_and(|ms| ms.trim_end().parse::<u64>().is_ok()), "{retry}");
    let hello = viewer.event().await;
    assert!(hello.contains("hello\n") && hello.contains("\"boot\":12"), "{hello}");
    assert_eq!(viewer.event().await, status);
    viewer.go_on();
}

/// Opens a stream that is cut behind each of its bytes in turn, on a connection on which `before` was
/// answered; returns at how many places that was.
async fn cut_everywhere(
    stage: &Stage,
    before: &[String],
    request: &str,
    framing: Framing,
    valve: impl Fn() -> Valve,
) -> usize {
    for cut in 0.. {
        let valve = valve();
        stage.beat("ready", &format!("{cut:0>4}"));
        let (mut viewer, accepted) = stage.connect().await;
        let mut driving = pin!(stage.drive(accepted, &valve));
        let mut arrived = 0;
        for request in before {
            let answered = async {
                viewer.send(request).await;
                assert!(viewer.answer().await.0.starts_with("http/1.1 200 ok"));
            };
            meanwhile(driving.as_mut(), answered).await;
            arrived = valve.passed();
        }
        viewer.framing = framing;
        valve.let_pass(cut);
        viewer.send(request).await;
        let early = timeout(SOON, valve.until_shut(driving.as_mut())).await.expect("it comes to the cut");
        assert!(valve.passed() <= arrived + cut);
        let over = early.is_some();
        valve.release();
        let left = match early {
            Some(left) => left,
            None => timeout(SOON, driving).await.unwrap_or_else(|_| panic!("cut at {cut}, it does not leave")),
        };
        has_its_beginning(&mut viewer, valve.passed(), &stage.says()).await;
        stage.adopt(left, stage.place());
        stage.beat("ready", &format!("{cut:0>4} and on"));
        assert_eq!(viewer.event().await, stage.says(), "cut at {cut}");
        if over {
            return cut;
        }
    }
    unreachable!("a stream has an end of its beginning")
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_leaves_after_its_last_byte_and_nothing_is_lost_or_sent_twice() {
    let stage = Stage::new().await;
    let cuts = cut_everywhere(&stage, &[], &stage.stream(), Framing::Chunked, Valve::open).await;
    assert!(cuts > 500, "{cuts}");
}

#[tokio::test]
async fn so_does_a_stream_that_ends_with_its_connection() {
    let stage = Stage::new().await;
    let request = stage.stream().replace("HTTP/1.1", "HTTP/1.0");
    let cuts = cut_everywhere(&stage, &[], &request, Framing::UntilClose, || Valve::open().flat()).await;
    assert!(cuts > 500, "{cuts}");
}

#[tokio::test]
async fn so_does_a_stream_that_is_not_the_first_request_of_its_connection() {
    let stage = Stage::new().await;
    let before = [json(&stage), post(), json(&stage)];
    let cuts = cut_everywhere(&stage, &before, &stage.stream(), Framing::Chunked, || Valve::open().flat()).await;
    assert!(cuts > 500, "{cuts}");
}

#[tokio::test]
async fn a_socket_that_takes_one_byte_at_a_time_takes_them_all() {
    let stage = Stage::new().await;
    for (name, valve) in [("vectored", Valve::open()), ("flat", Valve::open().flat())] {
        let valve = valve.in_pieces_of(1);
        let (mut viewer, accepted) = stage.connect().await;
        viewer.send(&stage.stream()).await;
        let left = timeout(SOON, stage.drive(accepted, &valve)).await.expect("it leaves");
        has_its_beginning(&mut viewer, valve.passed(), &stage.says()).await;
        stage.adopt(left, stage.place());
        stage.beat("ready", name);
        assert_eq!(viewer.event().await, stage.says());
    }
}

#[tokio::test]
async fn a_stream_of_many_guilds_that_hyper_cannot_buffer_leaves_after_its_last_byte() {
    let stage = Stage::new().await;
    // Six bytes each as JSON: the first statuses are more than the 64 KiB that hyper keeps.
    stage.beat("ready", &"\\u0001".repeat(128));
    let guilds: Vec<_> = (1..=100_u64).map(|class| ((class << 22) + 7).to_string()).collect();
    let request = stage.request(&format!("GET /api/v1/streams?guilds={} HTTP/1.1", guilds.join(",")), "");
    let mut longest = 0;
    for cut in (0..).step_by(4999) {
        let valve = Valve::open();
        let (mut viewer, accepted) = stage.connect().await;
        let mut driving = pin!(stage.drive(accepted, &valve));
        viewer.send(&request).await;
        valve.let_pass(cut);
        let leaving = async {
            match valve.until_shut(driving.as_mut()).await {
                Some(left) => (left, true),
                None => {
                    valve.release();
                    (driving.await, false)
                }
            }
        };
        let reading = async {
            assert!(viewer.head().await.contains(" 200 OK\r\n"));
            let (_retry, _hello) = (viewer.event().await, viewer.event().await);
            for guild in &guilds {
                let status = viewer.event().await;
                assert!(status.contains(&format!("{{\"guildId\":\"{guild}\"")), "{status}");
            }
        };
        let ((left, over), ()) = timeout(SOON, async { tokio::join!(leaving, reading) }).await.expect("it leaves");
        viewer.go_on();
        stage.adopt(left, stage.place());
        longest = valve.passed();
        if over {
            break;
        }
    }
    assert!(longest > 64 * 1024, "{longest}");
}

#[tokio::test]
async fn what_the_socket_keeps_for_itself_was_not_sent() {
    let stage = Stage::new().await;
    let valve = Valve::open();
    valve.hold();
    let (mut viewer, accepted) = stage.connect().await;
    let mut driving = pin!(stage.drive(accepted, &valve));
    viewer.send(&stage.stream()).await;
    // It may look several times before it gives up.
    for _ in 0..3 {
        assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none(), "it left before a flush");
        tokio::task::yield_now().await;
    }
    valve.release();
    let left = timeout(SOON, driving).await.expect("it leaves");
    has_its_beginning(&mut viewer, valve.passed(), &stage.says()).await;
    stage.adopt(left, stage.place());
    stage.beat("ready", "1");
    assert_eq!(viewer.event().await, stage.says());
}
