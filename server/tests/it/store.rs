//! What outlives a restart, and the copy of it.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::command::{guildpulse, output};
use crate::support::{GUILD, Scene, config, eventually, shards};

/// The revision as two integers.
fn revision(status: &Value) -> (u64, u64) {
    let (boot, seq) = status["revision"].as_str().unwrap().split_once('.').unwrap();
    (boot.parse().unwrap(), seq.parse().unwrap())
}

/// What stands in one column of the database.
fn column(database: &Connection, sql: &str) -> Vec<String> {
    let mut rows = database.prepare(sql).unwrap();
    rows.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everybody_is_unknown_with_the_last_healthy_and_since() {
    let mut scene = Scene::start().await;
    scene.beat(json!({"instance": "a", "session": "s", "version": "1.4.2", "shards": shards([0], 2, "ready")})).await;
    scene.beat(json!({"instance": "b", "shards": shards([1], 2, "ready")})).await;
    scene.goodbye(json!({"instance": "b"})).await;
    // Nothing changes by it but the time of the last beat.
    scene.beat(json!({"instance": "a", "session": "s", "version": "1.4.2", "shards": shards([0], 2, "ready")})).await;
    let elsewhere = (1_u64 << 22).to_string();
    let before = [scene.status(GUILD).await, scene.status(&elsewhere).await];
    scene.restart().await;
    for (before, guild) in before.iter().zip([GUILD, elsewhere.as_str()]) {
        let after = scene.status(guild).await;
        assert_eq!((after["state"].as_str(), after["reason"].as_str()), (Some("unknown"), Some("server_restarted")));
        for field in ["healthy", "since", "version", "shard", "lastHeartbeat"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        assert!(revision(&after).0 > revision(before).0, "{after}");
    }
    let mut viewer = scene.watch(GUILD).await;
    scene.beat(json!({"instance": "a", "session": "s", "shards": shards([0], 2, "ready")})).await;
    assert_eq!(viewer.until("online").await["since"], before[0]["since"], "nothing happened to the bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_maintenance_and_generations_outlive_a_restart() {
    let mut scene = Scene::start().await;
    scene.beat(json!({"instance": "old", "shards": shards(0..4, 4, "ready")})).await;
    scene.beat(json!({"instance": "new", "shards": shards(0..8, 8, "ready"), "unavailable": [GUILD]})).await;
    let maintained = (3_u64 << 22).to_string();
    scene.beat(json!({"instance": "third", "shards": shards([3], 8, "ready")})).await;
    scene.goodbye(json!({"instance": "new", "shards": [{"id": 3, "count": 8}]})).await;
    scene.goodbye(json!({"instance": "third", "expectedBackMs": 600_000})).await;
    let announced = scene.status(&maintained).await;
    scene.restart().await;
    let excepted = scene.status(GUILD).await;
    assert_eq!((excepted["healthy"].as_bool(), excepted["shard"]["count"].as_u64()), (Some(false), Some(8)));
    scene.beat(json!({"instance": "new", "shards": shards([0], 8, "ready")})).await;
    assert_eq!(scene.status(GUILD).await["state"], "unavailable", "the report was stored with its process");
    scene.beat(json!({"instance": "new", "shards": shards([0], 8, "ready"), "available": [GUILD]})).await;
    assert_eq!(scene.status(GUILD).await["state"], "online");
    assert_eq!(scene.status(&maintained).await["shard"], announced["shard"], "guilds stay in their generation");
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_grow_over_starts_within_one_second_and_when_the_store_is_lost() {
    let mut scene = Scene::start().await;
    let mut last = revision(&scene.status(GUILD).await);
    for _ in 0..3 {
        scene.restart().await;
        let next = revision(&scene.status(GUILD).await);
        assert!(next.0 > last.0, "{next:?} after {last:?}");
        last = next;
    }
    std::fs::remove_dir_all(&config(&scene.data).data).unwrap();
    scene.restart().await;
    let now = guildpulse::clock::wall().unix_seconds();
    assert!((now - 60..=now).contains(&revision(&scene.status(GUILD).await).0), "the Unix second at the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_at_the_start_is_not_written_over() {
    let mut scene = Scene::start().await;
    scene.beat(json!({"instance": "a", "shards": shards([0], 2, "ready")})).await;
    scene.goodbye(json!({"instance": "a"})).await;
    let before = scene.status(GUILD).await;
    let folder = config(&scene.data).data;
    scene.stop();
    scene.stopped().await;
    // Held by somebody else from before the start, so that it cannot even be read.
    let foreign = Connection::open(folder.join("guildpulse.db")).unwrap();
    foreign.execute_batch("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO run VALUES (1, 1, 1, 1)").unwrap();
    scene.begin().await;
    assert_eq!(scene.status(GUILD).await["reason"], "never_seen");
    scene.beat(json!({"instance": "b", "shards": shards([1], 2, "ready")})).await;
    drop(foreign);
    let ready = async || scene.http.get(scene.url("/readyz")).send().await.unwrap().status() == 200;
    eventually("it has recovered", ready).await;
    scene.restart().await;
    let after = scene.status(GUILD).await;
    assert_eq!((&after["reason"], &after["since"]), (&json!("server_restarted"), &before["since"]), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_while_the_server_goes_on() {
    let scene = Scene::start().await;
    for version in ["1", "2", "3"] {
        scene.beat(json!({"instance": "a", "version": version, "shards": shards([0], 1, "ready")})).await;
    }
    let run = |arguments: &str| output(guildpulse(arguments, scene.data.path()));
    // The log is written behind the answers; the third version is there soon.
    let copy = (0..).map(|number| format!("copy-{number}.db"));
    for file in copy.take(100) {
        let said = run(&format!("backup {file} --data data")).await;
        assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
        let database = Connection::open(scene.data.path().join(&file)).unwrap();
        assert_eq!(column(&database, "PRAGMA integrity_check"), ["ok"]);
        if column(&database, "SELECT version FROM transition") == ["1", "2", "3"] {
            assert_eq!(column(&database, "SELECT version FROM shard"), ["3"]);
            let again = run(&format!("backup {file} --data data")).await;
            let said = String::from_utf8(again.stderr).unwrap();
            assert_eq!(again.status.code(), Some(2));
            assert_eq!(said, format!("guildpulse: {file} is there already; name a new file\n"));
            return;
        }
    }
    panic!("the log was never written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_nothing_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let said = output(guildpulse("backup copy.db --data nowhere", folder.path())).await;
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8(said.stderr).unwrap().contains("there is no database at nowhere/guildpulse.db"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was left behind");
}

#[test]
fn the_sqlite_in_the_program_has_no_known_fault_of_its_log() {
    // Before 3.51.3, a reset of the write-ahead log could corrupt the database.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}
