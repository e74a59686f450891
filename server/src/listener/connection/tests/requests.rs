//! Whatever stands around the request for a stream, the stream is what it is.

use std::pin::pin;

use tokio::time::timeout;

use super::stage::{GUILD, Stage, meanwhile};
use super::valve::Valve;
use super::viewer::{SOON, Viewer};
use crate::wire::sse::Framing;

/// Reads the beginning of a stream; returns its head in lower case.
async fn begins(viewer: &mut Viewer, status: &str) -> String {
    let head = viewer.head().await.to_lowercase();
    assert!(head.contains(" 200 ok\r\n") && head.contains("\r\ncontent-type: text/event-stream\r\n"), "{head}");
    let (_retry, _hello) = (viewer.event().await, viewer.event().await);
    assert_eq!(viewer.event().await, status);
    head
}

/// Opens a stream by these bytes, and shows that it goes on and that these, sent afterwards, change
/// nothing.
async fn opens(stage: &Stage, request: &str, framing: Framing, later: &str) {
    let (mut viewer, accepted) = stage.connect().await;
    viewer.framing = framing;
    viewer.send(request).await;
    let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
    begins(&mut viewer, &stage.says()).await;
    stage.adopt(left, stage.place());
    for version in ["before", "after"] {
        stage.beat("ready", version);
        assert_eq!(viewer.event().await, stage.says(), "behind {request:?}");
        viewer.send(later).await;
    }
    viewer.go_on();
    drop(viewer);
    stage.all_is_given_back(&[("viewer", 1)]).await;
}

#[tokio::test]
async fn what_is_pipelined_behind_a_stream_gets_no_answer() {
    let whole = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for behind in [whole, "GET /healthz HT", "\r\n\r\n", "\0\u{1}garbage\r\n\r\n", &whole.repeat(3000)] {
        let stage = Stage::new().await;
        opens(&stage, &(stage.stream() + behind), Framing::Chunked, behind).await;
    }
}

#[tokio::test]
async fn a_second_stream_behind_the_first_is_not_opened() {
    let stage = Stage::new().await;
    opens(&stage, &stage.stream().repeat(2), Framing::Chunked, &stage.stream()).await;
}

#[tokio::test]
async fn what_is_pipelined_before_a_stream_is_answered_before_it() {
    let stage = Stage::new().await;
    let json = stage.request(&format!("GET /api/v1/guilds/{GUILD}/status HTTP/1.1"), "");
    let (mut viewer, accepted) = stage.connect().await;
    viewer.send(&format!("{json}{json}{}{json}", stage.stream())).await;
    let left = timeout(SOON, stage.drive(accepted, &Valve::open())).await.expect("it leaves");
    for _ in 0..2 {
        assert!(viewer.answer().await.1.starts_with("{\"guildId\""));
    }
    begins(&mut viewer, &stage.says()).await;
    stage.adopt(left, stage.place());
    stage.beat("ready", "1");
    assert_eq!(viewer.event().await, stage.says());
}

#[tokio::test]
async fn a_stream_over_http_1_0_ends_with_its_connection_even_if_that_was_to_be_kept() {
    for more in ["", "Connection: keep-alive\r\n"] {
        let stage = Stage::new().await;
        let request = stage.request(&format!("GET /api/guilds/{GUILD}/status/stream HTTP/1.0"), more);
        opens(&stage, &request, Framing::UntilClose, "").await;
    }
}

#[tokio::test]
async fn head_takes_no_place_and_the_connection_goes_on_to_a_stream() {
    let stage = Stage::new().await;
    let (mut viewer, accepted) = stage.connect().await;
    let valve = Valve::open();
    let mut driving = pin!(stage.drive(accepted, &valve));
    for _ in 0..3 {
        let asked = async {
            viewer.send(&stage.stream().replacen("GET", "HEAD", 1)).await;
            assert!(viewer.head().await.contains("200 OK"));
            viewer.go_on();
        };
        meanwhile(driving.as_mut(), asked).await;
        assert_eq!(stage.open(), 0, "it is an answer like others");
    }
    viewer.send(&stage.stream()).await;
    let left = timeout(SOON, driving).await.expect("it leaves");
    begins(&mut viewer, &stage.says()).await;
    assert_eq!(stage.open(), 1);
    stage.adopt(left, stage.place());
    stage.beat("ready", "1");
    assert_eq!(viewer.event().await, stage.says());
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_to_http() {
    let stage = Stage::new().await;
    let (mut viewer, accepted) = stage.connect().await;
    let valve = Valve::open();
    let mut driving = pin!(stage.drive(accepted, &valve));
    let refused = async {
        viewer.send(&stage.stream().replacen("Bearer ", "Bearer x", 1)).await;
        assert!(viewer.answer().await.0.starts_with("http/1.1 401 "));
    };
    meanwhile(driving.as_mut(), refused).await;
    viewer.send(&stage.stream()).await;
    let left = timeout(SOON, driving).await.expect("it leaves");
    begins(&mut viewer, &stage.says()).await;
    stage.adopt(left, stage.place());
    stage.beat("ready", "1");
    assert_eq!(viewer.event().await, stage.says());
}

#[tokio::test]
async fn a_body_of_the_request_changes_nothing_whether_it_comes_at_once_late_or_never() {
    let line = format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1");
    let large = "x".repeat(300_000);
    for (header, at_once, late) in [
        ("Content-Length: 5\r\n", "hello", ""),
        ("Content-Length: 5\r\n", "", "hello"),
        ("Content-Length: 5\r\n", "he", "llo"),
        ("Content-Length: 5\r\n", "he", ""),
        ("Content-Length: 300000\r\n", "", &large),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhe", "llo\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhe", ""),
        ("Transfer-Encoding: chunked\r\n", "not a chunk", "and nothing that ends"),
        ("Content-Length: 5\r\nExpect: 100-continue\r\n", "", "hello"),
    ] {
        let stage = Stage::new().await;
        opens(&stage, &(stage.request(&line, header) + at_once), Framing::Chunked, late).await;
    }
}

#[tokio::test]
async fn a_body_that_arrives_while_the_beginning_is_cut_changes_nothing() {
    let stage = Stage::new().await;
    let line = format!("GET /api/v1/guilds/{GUILD}/status/stream HTTP/1.1");
    let request = stage.request(&line, "Content-Length: 100000\r\n");
    for cut in [0, 1, 100, 300] {
        let (mut viewer, accepted) = stage.connect().await;
        let valve = Valve::open();
        valve.let_pass(cut);
        let mut driving = pin!(stage.drive(accepted, &valve));
        viewer.send(&request).await;
        assert!(timeout(SOON, valve.until_shut(driving.as_mut())).await.unwrap().is_none());
        meanwhile(driving.as_mut(), viewer.send(&"x".repeat(100_000))).await;
        valve.release();
        let left = timeout(SOON, driving).await.expect("it leaves");
        begins(&mut viewer, &stage.says()).await;
        stage.adopt(left, stage.place());
        stage.beat("ready", &format!("{cut}"));
        assert_eq!(viewer.event().await, stage.says());
    }
}
