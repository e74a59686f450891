//! A long history: it does not hold up a start, and it ends some time.

use std::time::{Duration, Instant};

use rusqlite::params;

use crate::support::database::Database;
use crate::support::{Place, SOON, eventually, guild_of, now_ms, say};

const SHARDS: u32 = 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The log of these many days with four transitions of each shard a day, and what was last known of
/// a thousand shards in sixteen processes.
fn write_history(place: &Place, days: i64, now: i64) {
    let mut database = Database::create(&place.file());
    let tx = database.connection.transaction().unwrap();
    tx.execute("INSERT INTO run VALUES (?1, ?2, ?2, ?2)", params![now / 1000 - 60, now - 60_000]).unwrap();
    tx.execute("INSERT INTO generation VALUES (?, 0, 1)", [SHARDS]).unwrap();
    let line = "INSERT INTO transition VALUES (NULL, ?1, 1, ?2, ?3, ?4, NULL, 1, ?5, ?6, '1.4.2', ?1, NULL)";
    let mut line = tx.prepare(line).unwrap();
    let quarters = days * 4;
    for quarter in 0..quarters {
        let at = now - (quarters - quarter) * DAY_MS / 4;
        let (state, reason) = if quarter % 2 == 0 { ("reconnecting", Some("resuming")) } else { ("online", None) };
        for id in 0..SHARDS {
            line.execute(params![
                at + i64::from(id),
                quarter * i64::from(SHARDS) + i64::from(id),
                SHARDS,
                id,
                state,
                reason
            ])
            .unwrap();
        }
    }
    drop(line);
    for id in 0..SHARDS {
        let shard = "INSERT INTO shard VALUES (?1, ?2, 'online', NULL, ?3, 1, NULL, ?4, '1.4.2', 2000, ?3, NULL)";
        tx.execute(shard, params![SHARDS, id, now - DAY_MS / 4, now - 61_000]).unwrap();
        let process = "INSERT INTO process VALUES (?, ?, 0, ?, 's', 'ready', '1.4.2', 2000)";
        tx.execute(process, params![SHARDS, id, format!("worker-{}", id % 16)]).unwrap();
    }
    tx.commit().unwrap();
}

/// Starts the server; returns how long it took until it was ready. Everything is restored then.
async fn start_with_a_history(place: &Place, written: i64) -> Duration {
    let spawned = Instant::now();
    let server = place.spawn();
    let ready = async || place.readiness(place.addr).await.filter(|(code, _)| *code == 200);
    eventually("ready", SOON, ready).await;
    let took = spawned.elapsed();
    for first in (0..SHARDS).step_by(100) {
        let guilds: Vec<String> = (first..first + 100).map(guild_of).collect();
        let url = place.url(&format!("/api/v1/statuses?guilds={}", guilds.join(",")));
        let answer = place.http.get(url).bearer_auth(crate::support::operator()).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        for status in answer["statuses"].as_array().unwrap() {
            assert_eq!((&status["state"], &status["healthy"]), (&"unknown".into(), &true.into()), "{status}");
            assert_eq!(crate::support::time(status, "since"), written - DAY_MS / 4);
            assert_eq!(crate::support::time(status, "lastHeartbeat"), written - 61_000);
        }
        assert_eq!(answer["statuses"].as_array().unwrap().len(), 100);
    }
    server.kill().await;
    took
}

/// The best of five starts, which is the one that nobody else disturbed.
async fn best_start() -> Duration {
    let place = Place::new();
    let written = now_ms();
    write_history(&place, 90, written);
    let rows = place.database().number("SELECT count(*) FROM transition", ());
    assert_eq!(rows, 360_000);
    let mut starts = Vec::new();
    for _ in 0..5 {
        starts.push(start_with_a_history(&place, written).await);
    }
    say(&format!("history: five starts with {rows} lines of log: {starts:.0?}"));
    starts.into_iter().min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ninety_days_of_a_thousand_shards_are_restored_by_a_start_that_takes_no_time() {
    // The bound of a build that is not optimized, on a machine that does other things as well.
    let best = best_start().await;
    assert!(best < Duration::from_secs(2), "{best:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: cargo test --release --test faults -- --ignored"]
async fn ninety_days_of_a_thousand_shards_are_restored_in_less_than_200_ms() {
    let best = best_start().await;
    assert!(best < Duration::from_millis(200), "{best:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_retention_goes_in_small_steps_and_the_file_shrinks() {
    let place = Place::new().with(&["--retention-days", "2"]);
    // Twelve days; a little later, so that the limit does not fall between two lines.
    write_history(&place, 12, now_ms() + 60_000);
    let size = || std::fs::metadata(place.file()).unwrap().len();
    let full = size();
    let server = place.start().await;
    // The shards of the history will be offline soon, which is in the log as well.
    let left = || place.database().number("SELECT count(*) FROM transition WHERE boot = 1", ());
    let (mut steps, mut last) = (Vec::new(), left());
    let pruned = async || {
        let now = left();
        if now != last {
            steps.push(last - now);
            last = now;
        }
        (now == 8000).then_some(())
    };
    eventually("old lines gone", Duration::from_secs(30), pruned).await;
    let shrunk = async || (size() < full / 2).then(size);
    let small = eventually("a smaller file", Duration::from_secs(30), shrunk).await;
    say(&format!(
        "history: pruned in {} steps, at most {:?} lines seen at once; {full} → {small} bytes",
        steps.len(),
        steps.iter().max()
    ));
    assert!(steps.len() >= 10 && steps.iter().all(|step| *step <= 8000), "{steps:?}");
    let oldest = place.database().number("SELECT min(at_ms) FROM transition", ());
    assert!(oldest > now_ms() - 2 * DAY_MS, "newer lines stay");
    server.stop().await;
    assert!(place.database().is_sound());
}
