//! A bot whose shards change faster than anybody can follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::support::server::{in_an_hour, operator_until};
use crate::support::{SOON, Server, Viewer, alone, beat_of, eventually, guild, open, read_until, stream_of};

const VIEWERS: u64 = 5000;
const SHARDS: u32 = 1000;
/// Long enough to tell everyone once, and too short for a repetition to make up for what was not told.
const PROMPT: Duration = Duration::from_secs(8);

/// Every shard is other than in the round before.
fn flap(round: usize, count: u32) -> Value {
    let state = |id| if (id as usize + round).is_multiple_of(2) { "ready" } else { "resuming" };
    let shards: Value = (0..count).map(|id| json!({"id": id, "count": count, "state": state(id)})).collect();
    json!({"version": "flapping", "intervalMs": 1000, "shards": shards})
}

/// Runs on a thread of its own, so that the crowd cannot hold it up.
fn apart<T: Send + 'static>(run: impl AsyncFnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || Builder::new_current_thread().enable_all().build().unwrap().block_on(run()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_shards_flapping_under_five_thousand_viewers_leave_everyone_with_the_newest_status() {
    let _alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(SHARDS, "0")).await;
    let guilds: Vec<u64> =
        (0..VIEWERS).map(|viewer| guild(viewer % u64::from(SHARDS), viewer / u64::from(SHARDS))).collect();
    let token = operator_until(in_an_hour());
    let viewers = open(server.addr, guilds.iter().map(|guild| stream_of(*guild)), &token).await;
    let bot = server.bot();
    let flapping = apart(async move || {
        let mut due = interval(Duration::from_millis(100));
        let mut slowest = Duration::ZERO;
        for round in 0..40 {
            due.tick().await;
            let asked = Instant::now();
            bot(&flap(round, SHARDS)).await;
            slowest = slowest.max(asked.elapsed());
        }
        bot(&beat_of(SHARDS, "last")).await;
        (slowest, Instant::now())
    });
    let viewers = read_until(viewers, SOON * 3, |viewer| viewer.is_at("last")).await;
    let (slowest, last) = flapping.join().unwrap();
    assert!(last.elapsed() < PROMPT, "the last of them was told after {:?}", last.elapsed());
    // The beats themselves are due every second, and a shard is silent after 2.5 s.
    assert!(slowest < Duration::from_secs(1), "a beat was answered after {slowest:?}");

    let mut told: Vec<_> =
        viewers.iter().map(|viewer| serde_json::from_str::<Value>(&viewer.seen().data).unwrap()).collect();
    told.sort_by_key(|status| status["guildId"].as_str().unwrap().parse::<u64>().unwrap());
    let mut sorted = guilds.clone();
    sorted.sort_unstable();
    assert!(told == server.statuses(&sorted).await, "the last status of each is that of the API");
    assert!(viewers.iter().all(|viewer| !viewer.saw_offline && viewer.again() == 0), "nobody was called silent");
    assert_eq!(server.places().await, (VIEWERS, VIEWERS));
    server.is_well();
    drop(viewers);
    eventually("all have left", SOON, async || server.places().await == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_come_and_go_while_their_shard_flaps_end_with_the_newest_status() {
    const COMERS: u64 = 20;
    const GUILDS: u64 = 30;
    let _alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(1, "0")).await;
    let (over, quiet) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (bot, silent) = (server.bot(), quiet.clone());
    let flapping = apart(async move || {
        let mut round = 0;
        while !silent.load(Ordering::SeqCst) {
            bot(&flap(round, 1)).await;
            round += 1;
        }
        bot(&beat_of(1, "last")).await;
        round
    });
    let (addr, token) = (server.addr, operator_until(in_an_hour()));
    let mut coming = JoinSet::new();
    for comer in 0..COMERS {
        let (over, token) = (over.clone(), token.clone());
        coming.spawn(async move {
            let mut turn = 0;
            loop {
                let path = stream_of(guild(0, (comer * 7 + turn * 13) % GUILDS));
                let mut viewer = Viewer::open(addr, &path, &token, 1).await;
                if over.load(Ordering::SeqCst) {
                    return (viewer, turn);
                }
                for _ in 0..turn % 3 {
                    viewer.read().await;
                }
                if turn % 2 == 0 {
                    SockRef::from(&viewer.socket).set_linger(Some(Duration::ZERO)).unwrap();
                }
                turn += 1;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    over.store(true, Ordering::SeqCst);
    let (staying, turns): (Vec<_>, Vec<_>) = coming.join_all().await.into_iter().unzip();
    quiet.store(true, Ordering::SeqCst);
    let staying = read_until(staying, SOON, |viewer| viewer.is_at("last")).await;
    let (rounds, left) = (flapping.join().unwrap(), turns.iter().sum::<u64>());
    assert!(rounds > 100 && left > 100, "{rounds} changes, {left} viewers");
    for viewer in &staying {
        let (guild, seen) = viewer.guilds.first_key_value().unwrap();
        let told: Value = serde_json::from_str(&seen.data).unwrap();
        assert_eq!(server.statuses(&[*guild]).await, [told]);
        assert_eq!(viewer.again(), 0);
    }
    let as_many = async || server.places().await == (COMERS, COMERS) && server.closed("viewer").await == left;
    eventually("only those are there who stay", SOON, as_many).await;
    server.is_well();
}
