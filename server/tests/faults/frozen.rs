//! The server does not get to run for ten seconds.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::process::{BINARY, command};
use crate::support::{BOT_TOKEN, GUILD, Place, Process, SOON, Viewer, now_ms, say, time};

const FREEZE: Duration = Duration::from_secs(10);
/// How long after its last beat a bot is offline, if all goes well.
const DEADLINE_MS: i64 = 4500;
/// The bot's interval, which rule 8 adds once, and the lateness that is not noticed.
const GRACE_MS: i64 = 2000 + 250;

/// `guildpulse beat` as a process.
fn bot(place: &Place) -> Process {
    let mut command = command(BINARY, &["beat", "--url", &format!("http://{}", place.addr), "--shard", "0/1"]);
    command.env("GUILDPULSE_TOKEN", BOT_TOKEN);
    Process::start(command, &place.folder.path().join("bot.log"))
}

/// Every status until the time is over.
async fn statuses_until(viewer: &mut Viewer, end: Instant) -> Vec<Value> {
    let mut statuses = Vec::new();
    while let Ok(event) = tokio::time::timeout_at(end, viewer.read()).await {
        let event = event.unwrap().expect("the stream goes on");
        if event.kind == "message" {
            statuses.push(event.json());
        }
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_frozen_for_10_s_blames_nobody() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let bot = bot(&place);
    let online = viewer.until("online").await;
    server.send(Signal::STOP);
    // What is waited for is time itself: it passes for the bot, and not for the server.
    sleep(FREEZE).await;
    server.send(Signal::CONT);
    // Long enough for every deadline that the freeze could have moved, and for a repetition.
    let statuses = statuses_until(&mut viewer, Instant::now() + Duration::from_secs(16)).await;
    assert!(!statuses.is_empty(), "the stream went on");
    for status in &statuses {
        assert_eq!((&status["state"], &status["healthy"]), (&"online".into(), &true.into()), "{status}");
        assert_eq!(status["since"], online["since"]);
    }
    assert_eq!(place.lines("the monitor was held up").len(), 1, "{}", place.log());
    assert!(time(statuses.last().unwrap(), "lastHeartbeat") > time(&online, "lastHeartbeat") + 10_000, "it still beats");
    drop(bot);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_dies_while_the_server_is_frozen_is_still_found_out() {
    let place = Place::new();
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let bot = bot(&place);
    viewer.until("online").await;
    server.send(Signal::STOP);
    let stopped = now_ms();
    bot.kill().await;
    sleep(FREEZE).await;
    server.send(Signal::CONT);
    let frozen = now_ms() - stopped;
    let offline = viewer.until_within("offline", SOON * 3).await;
    let silence = time(&offline, "since") - time(&offline, "lastHeartbeat");
    let later = silence - DEADLINE_MS - frozen;
    say(&format!("frozen: offline {silence} ms after the last beat; {later} ms later than deadline and freeze"));
    assert_eq!((&offline["reason"], &offline["healthy"]), (&"heartbeat_timeout".into(), &false.into()));
    assert!(later <= GRACE_MS, "{later} ms");
    assert!(silence >= DEADLINE_MS, "{silence} ms");
    server.stop().await;
}
