//! Tokens that all end at once.

use std::time::Duration;

use crate::support::server::operator_until;
use crate::support::{SOON, Server, alone, beat_of, eventually, guild, now_ms, open, read_until, stream_of};

const VIEWERS: u64 = 5000;
/// How long a token holds beyond its end.
const LEEWAY: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_tokens_that_end_at_once_end_every_stream_in_time_and_give_every_place_back() {
    let _alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(100, "0")).await;
    let sockets = server.sockets();
    // Long enough for all of them to open their streams.
    let end = now_ms() / 1000 + 12;
    let token = operator_until(end - LEEWAY);
    let paths = (0..VIEWERS).map(|viewer| stream_of(guild(viewer % 100, viewer / 100)));
    let viewers = open(server.addr, paths, &token).await;
    assert!(now_ms() < end * 1000, "it took too long to open them");
    assert_eq!(server.places().await, (VIEWERS, VIEWERS));
    assert_eq!(server.closed("expired").await, 0);

    let until_then = Duration::from_millis(end * 1000 - now_ms());
    let mut viewers = read_until(viewers, until_then + SOON, |viewer| viewer.goodbye.is_some()).await;
    let late = viewers.iter().map(|viewer| {
        let (reason, at) = viewer.goodbye.as_ref().unwrap();
        assert_eq!(reason, "expired");
        at.checked_sub(end * 1000).expect("nobody's stream ends before its token")
    });
    let latest = late.max().unwrap();
    assert!(latest < 2000, "the last goodbye came {latest} ms after the end of the token");
    for viewer in &mut viewers {
        assert!(!viewer.read().await, "the body ends, and the connection behind it");
    }
    drop(viewers);
    eventually("every place is free", SOON, async || server.places().await == (0, 0)).await;
    assert_eq!(server.closed("expired").await, VIEWERS);
    eventually("every socket is closed", SOON, async || server.sockets() == sockets).await;
    server.is_well();
}
