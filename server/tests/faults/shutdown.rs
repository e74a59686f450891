//! A stop: everybody is told, nothing is lost, and it ends when it should.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::support::{BOT_TOKEN, GUILD, Place, SOON, Viewer, beat_of, client, eventually, guild_of, operator, say, shards};

const STREAMS: u32 = 1000;
const DRAIN: Duration = Duration::from_secs(5);
const BUCKET: Duration = Duration::from_millis(250);

/// How many fall into each quarter of a second.
fn histogram(times: &[Duration]) -> Vec<usize> {
    let bucket = |time: &Duration| usize::try_from(time.as_millis() / BUCKET.as_millis()).unwrap();
    let mut buckets = vec![0; times.iter().map(bucket).max().unwrap() + 1];
    times.iter().for_each(|time| buckets[bucket(time)] += 1);
    buckets
}

/// When a viewer was told to go, when it came back, and what it saw then.
struct Return {
    told: Instant,
    back: Instant,
    state: String,
}

/// Watches until it is sent away, and comes back when it was told to.
async fn go_and_come_back(mut viewer: Viewer, http: reqwest::Client, url: String, guild: String, opened: bool) -> Return {
    assert!(opened, "everybody saw the bot online before");
    let goodbye = loop {
        let event = viewer.read().await.unwrap().expect("a goodbye before the end");
        if event.kind == "goodbye" {
            break event.json();
        }
    };
    let told = Instant::now();
    assert_eq!(goodbye["reason"], "shutdown");
    assert!(viewer.read().await.unwrap().is_none(), "the stream ends with the goodbye");
    sleep_until(told + Duration::from_millis(goodbye["retryAfterMs"].as_u64().unwrap())).await;
    let back = Instant::now();
    let mut viewer = Viewer::of(http.get(url).bearer_auth(operator()).send().await.unwrap());
    let status = viewer.status().await;
    assert_eq!((&status["guildId"], &status["healthy"]), (&guild.into(), &true.into()));
    Return { told, back, state: status["state"].as_str().unwrap().to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_viewers_are_sent_away_one_by_one_and_come_back_spread_out() {
    let place = Place::new();
    let mut server = place.start().await;
    let beat = json!({"intervalMs": 10_000, "shards": shards(0..8, 8, "ready")});
    place.beat(&beat).await;
    let http = client(Duration::from_secs(120));
    let mut viewers = JoinSet::new();
    for number in 0..STREAMS {
        let guild = guild_of(number % 8);
        let url = place.url(&format!("/api/v1/guilds/{guild}/status/stream"));
        let mut viewer = Viewer::of(http.get(&url).bearer_auth(operator()).send().await.unwrap());
        assert_eq!(viewer.event().await.kind, "hello");
        let opened = viewer.status().await["state"] == "online";
        viewers.spawn(go_and_come_back(viewer, http.clone(), url, guild, opened));
    }
    assert_eq!(place.metric("guildpulse_viewers").await, u64::from(STREAMS));
    let asked = Instant::now();
    server.send(Signal::TERM);
    let status = server.ended_within(DRAIN + Duration::from_secs(1)).await;
    let stopped = asked.elapsed();
    assert_eq!(status.code(), Some(0));
    let server = place.start().await;
    place.beat(&beat).await;

    let returns = viewers.join_all().await;
    let told: Vec<_> = returns.iter().map(|one| one.told - asked).collect();
    let back: Vec<_> = returns.iter().map(|one| one.back - asked).collect();
    let (goodbyes, arrivals) = (histogram(&told), histogram(&back));
    say(&format!(
        "shutdown: exit after {stopped:.2?}; goodbyes per 250 ms: {goodbyes:?}; arrivals per 250 ms: {arrivals:?}"
    ));
    assert_eq!(returns.len(), usize::try_from(STREAMS).unwrap());
    assert!(told.iter().all(|told| *told <= DRAIN), "every goodbye falls into the drain");
    let most = usize::try_from(STREAMS * 15 / 100).unwrap();
    assert!(goodbyes.iter().chain(&arrivals).all(|bucket| *bucket <= most), "a wave");
    assert!(returns.iter().all(|one| one.state == "online"), "all are told what is known by then");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let place = Place::new();
    let mut server = place.start().await;
    let _viewers = [place.watch(GUILD).await, place.watch(GUILD).await, place.watch(GUILD).await];
    server.send(Signal::TERM);
    let heard = async || (!place.lines("a second signal ends at once").is_empty()).then_some(());
    eventually("the first signal is heard", SOON, heard).await;
    server.send(Signal::TERM);
    assert_eq!(server.ended_within(Duration::from_secs(1)).await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_does_not_hold_up_a_stop() {
    let place = Place::new();
    let mut server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let mut other = rusqlite::Connection::open(place.file()).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    place.change(&mut viewer, "locked").await;
    // Asked before the writer knows, and again when it does.
    server.send(Signal::TERM);
    assert_eq!(server.ended_within(DRAIN + Duration::from_secs(1)).await.code(), Some(0));
    drop(lock);
    let mut server = place.start().await;
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    place.beat(&beat_of("locked again")).await;
    place.unready_because("another process holds the lock of the database", SOON).await;
    server.send(Signal::TERM);
    assert_eq!(server.ended_within(DRAIN + Duration::from_secs(1)).await.code(), Some(0));
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beat_in_flight_is_answered() {
    let place = Place::new();
    let mut server = place.start().await;
    let body = beat_of("in flight").to_string();
    let head = format!(
        "POST /api/v1/heartbeats HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {BOT_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        place.addr,
        body.len()
    );
    let mut socket = TcpStream::connect(place.addr).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so it is at work on the request.
    let mut answer = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.send(Signal::TERM);
    let refused = async || TcpStream::connect(place.addr).await.err();
    eventually("nobody new is let in", SOON, refused).await;
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(r#""accepted":1"#), "{answer}");
    assert_eq!(server.ended().await.code(), Some(0));
    let sql = "SELECT count(*) FROM transition WHERE version = 'in flight'";
    assert_eq!(place.database().number(sql, ()), 1, "what it changed is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_just_before_a_stop_is_in_the_log() {
    let place = Place::new();
    for round in 0..20 {
        let server = place.start().await;
        // One after the other, so that the last of them wait for the next write of a busy writer.
        let version = |number: u32| format!("last-{round}-{number}");
        for number in 0..5 {
            place.beat(&json!({"version": version(number), "shards": shards(0..100, 100, "ready")})).await;
        }
        server.stop().await;
        let database = place.database();
        for number in 0..5 {
            let sql = "SELECT count(DISTINCT shard_id) FROM transition WHERE version = ?";
            assert_eq!(database.number(sql, [version(number)]), 100, "round {round}");
        }
        assert_eq!(database.number("SELECT count(*) FROM run WHERE ended_ms IS NULL", ()), 0);
    }
}
