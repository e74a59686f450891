//! The client for event streams, over real sockets, against a server that says what a test tells it to.

use std::time::Duration;

use guildpulse::event_source::{EventSource, Loss, Request, Retry, Signal};
use guildpulse::wire::event_stream::Message;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, redirect};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::SOON;
use crate::support::by_hand::{Asked, ByHand};

fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

fn source(server: &ByHand, retry: Retry) -> EventSource {
    EventSource::new(client(), Request::get(server.url().parse().unwrap()), retry, CancellationToken::new())
}

async fn next(source: &mut EventSource) -> Signal {
    timeout(SOON, source.next()).await.expect("a signal in time").expect("it goes on")
}

async fn over(source: &mut EventSource) -> bool {
    timeout(SOON, source.next()).await.expect("an end in time").is_none()
}

fn message(data: &str, id: &str) -> Signal {
    Signal::Message(Message { kind: "message".into(), data: data.into(), id: id.into() })
}

/// A source that has just been opened, and the other end of it.
async fn opened(retry: Retry) -> (ByHand, EventSource, Asked) {
    let server = ByHand::start().await;
    let mut source = source(&server, retry);
    let (signal, asked) = tokio::join!(next(&mut source), async {
        let mut asked = server.asked_within(SOON).await;
        asked.stream().await;
        asked
    });
    assert_eq!(signal, Signal::Open);
    (server, source, asked)
}

/// What comes of this answer.
async fn answered(answer: &str) -> (Signal, EventSource) {
    let server = ByHand::start().await;
    let mut source = source(&server, Retry::standard());
    let (signal, _) = tokio::join!(next(&mut source), async {
        let mut asked = server.asked_within(SOON).await;
        asked.say(answer).await;
        asked
    });
    (signal, source)
}

#[tokio::test]
async fn it_asks_as_a_page_does_and_adds_what_it_is_told_to() {
    let server = ByHand::start().await;
    let mut request = Request::get(format!("{}/a?b=c", server.url()).parse().unwrap());
    request.method = Method::POST;
    request.headers.insert(HeaderName::from_static("x-colour"), HeaderValue::from_static("blue"));
    request.headers.insert("accept", HeaderValue::from_static("text/event-stream, text/html"));
    request.body = Some("room=5".into());
    request.last_event_id = "\u{e4}7".into();
    let mut source = EventSource::new(client(), request, Retry::standard(), CancellationToken::new());
    let (_, asked) = tokio::join!(next(&mut source), async {
        let mut asked = server.asked_within(SOON).await;
        asked.stream().await;
        asked
    });
    let head = asked.head;
    assert!(head.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{head}");
    let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    for line in ["accept: text/event-stream, text/html", "cache-control: no-store", "x-colour: blue", "content-length: 6"] {
        assert_eq!(lines.iter().filter(|other| *other == line).count(), 1, "{line} in {head}");
    }
    assert!(head.contains("last-event-id: \u{e4}7\r\n"), "{head}");

    let (_, _, asked) = opened(Retry::standard()).await;
    assert!(asked.head.starts_with("GET / HTTP/1.1\r\n") && asked.head.contains("accept: text/event-stream\r\n"));
    assert!(!asked.head.contains("last-event-id"), "{}", asked.head);
}

#[tokio::test]
async fn after_a_stream_it_connects_again_goes_on_from_the_last_id_and_waits_as_it_was_told() {
    let (server, mut source, mut asked) = opened(Retry::standard()).await;
    asked.say("retry: 700\nid: 8\ndata: a\n\nid: 9\ndata: never ended\n").await;
    assert_eq!(next(&mut source).await, message("a", "8"));
    drop(asked);
    let wait = Duration::from_millis(700);
    assert_eq!(next(&mut source).await, Signal::Lost(Loss::Ended, Some(wait)));
    let lost = Instant::now();
    let (signal, asked) = tokio::join!(next(&mut source), async {
        let mut asked = server.asked_within(SOON).await;
        asked.stream().await;
        asked
    });
    assert_eq!(signal, Signal::Open);
    assert!(asked.at - lost >= Duration::from_millis(690), "{:?}", asked.at - lost);
    assert!(asked.head.contains("last-event-id: 8\r\n"), "{}", asked.head);
}

#[tokio::test]
async fn an_id_that_no_header_can_hold_is_not_sent() {
    let (server, mut source, mut asked) = opened(Retry::new(|_, _| Some(Duration::ZERO))).await;
    asked.say("id: a\u{1}b\ndata: a\n\n").await;
    assert_eq!(next(&mut source).await, message("a", "a\u{1}b"));
    drop(asked);
    next(&mut source).await;
    let (_, asked) = tokio::join!(next(&mut source), async {
        let mut asked = server.asked_within(SOON).await;
        asked.stream().await;
        asked
    });
    assert!(!asked.head.contains("last-event-id"), "{}", asked.head);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_ends_it() {
    let refused = |status: u16, body: &str| Loss::Refused {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: None,
        body: body.to_owned().into(),
    };
    let moved = "HTTP/1.1 301 Moved Permanently\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    for (answer, loss) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", refused(204, "")),
        (moved, refused(301, "")),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", refused(401, "no")),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nContent-Type: text/event-stream\r\n\r\n", refused(500, "")),
        ("HTTP/1.1 201 Created\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n", refused(201, "")),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", Loss::NoStream("text/html".into())),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Loss::NoStream(String::new())),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n\r\n", Loss::NoStream("text/event-streams".into())),
    ] {
        let (signal, mut source) = answered(answer).await;
        assert_eq!(signal, Signal::Lost(loss, None), "{answer}");
        assert!(over(&mut source).await);
    }
    let (signal, _) = answered("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream ; charset=x\r\n\r\n").await;
    assert_eq!(signal, Signal::Open);
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_not_more_than_is_worth_reading() {
    let (signal, _) = answered("HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
    let seconds = |signal: &Signal| match signal {
        Signal::Lost(Loss::Refused { retry_after, .. }, None) => retry_after.map(|wait| wait.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(seconds(&signal), Some(7));
    let (signal, _) =
        answered("HTTP/1.1 503 No\r\nRetry-After: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(seconds(&signal), Some(0), "that is past");
    // It goes on for ever, and stops in the middle.
    let endless = format!("HTTP/1.1 500 No\r\n\r\n{}", "x".repeat(100_000));
    let (signal, _) = answered(&endless).await;
    assert!(matches!(signal, Signal::Lost(Loss::Refused { body, .. }, None) if body.len() == 16 * 1024));
}

#[tokio::test]
async fn what_breaks_in_the_middle_is_told_from_what_ends() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, loss) in [("9\r\ndata: a\n\n\r\n0\r\n\r\n", Loss::Ended), ("9\r\ndata: a\n\n\r\n5\r\nda", Loss::Cut)] {
        let server = ByHand::start().await;
        let mut source = source(&server, Retry::never());
        let (signal, ()) = tokio::join!(next(&mut source), async {
            server.asked_within(SOON).await.say(&format!("{head}{body}")).await;
        });
        assert_eq!(signal, Signal::Open);
        assert_eq!(next(&mut source).await, message("a", ""));
        assert_eq!(next(&mut source).await, Signal::Lost(loss, None));
        assert!(over(&mut source).await);
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_tried_again() {
    let server = ByHand::start().await;
    let url = server.url();
    drop(server);
    let request = Request::get(url.parse().unwrap());
    let mut source = EventSource::new(client(), request, Retry::standard(), CancellationToken::new());
    let lost = next(&mut source).await;
    let expected = Loss::Unreachable("connection refused".into());
    assert_eq!(lost, Signal::Lost(expected, Some(Duration::from_secs(3))));
    source.retry_after(Duration::ZERO);
    assert!(matches!(next(&mut source).await, Signal::Lost(Loss::Unreachable(_), Some(_))));
}

#[tokio::test]
async fn an_event_without_an_end_is_cut_off_after_those_that_had_one() {
    let (_server, mut source, mut asked) = opened(Retry::never()).await;
    asked.say(&format!("data: a\n\ndata: {}", "x".repeat(300_000))).await;
    assert_eq!(next(&mut source).await, message("a", ""));
    assert!(matches!(next(&mut source).await, Signal::Lost(Loss::TooLong(_), None)));
}

#[tokio::test]
async fn a_stop_ends_it_wherever_it_is() {
    for waits_for in ["an answer", "an event", "the next try"] {
        let server = ByHand::start().await;
        let stop = CancellationToken::new();
        let request = Request::get(server.url().parse().unwrap());
        let mut source = EventSource::new(client(), request, Retry::standard(), stop.clone());
        let mut asked = None;
        if waits_for != "an answer" {
            let (_, other) = tokio::join!(next(&mut source), async {
                let mut asked = server.asked_within(SOON).await;
                asked.stream().await;
                asked
            });
            asked = Some(other);
        }
        if waits_for == "the next try" {
            asked = None;
            next(&mut source).await;
        }
        let (ended, ()) = tokio::join!(over(&mut source), async {
            tokio::task::yield_now().await;
            stop.cancel();
        });
        assert!(ended, "{waits_for}");
        assert!(over(&mut source).await);
        drop(asked);
    }
}

#[tokio::test]
async fn whoever_stops_waiting_for_a_signal_misses_none() {
    let server = ByHand::start().await;
    let mut source = source(&server, Retry::new(|_, _| Some(Duration::from_millis(30))));
    // It stops waiting for the answer, in the middle of events, and while the next try is yet to come.
    let impatient = async {
        let mut heard = Vec::new();
        while heard.len() < 5 {
            if let Ok(signal) = timeout(Duration::from_millis(1), source.next()).await {
                heard.push(signal.unwrap());
            }
        }
        heard
    };
    let slow = async {
        let mut asked = server.asked_within(SOON).await;
        sleep(Duration::from_millis(5)).await;
        asked.stream().await;
        for piece in ["da", "ta: ", "1\n", "\ndata: 2\n", "\n", "data: 3"] {
            asked.say(piece).await;
            sleep(Duration::from_millis(5)).await;
        }
        drop(asked);
        let mut again = server.asked_within(SOON).await;
        again.stream().await;
        again
    };
    let (heard, _again) = timeout(SOON, async { tokio::join!(impatient, slow) }).await.expect("five signals in time");
    let lost = Signal::Lost(Loss::Ended, Some(Duration::from_millis(30)));
    assert_eq!(heard, [Signal::Open, message("1", ""), message("2", ""), lost, Signal::Open]);
}
