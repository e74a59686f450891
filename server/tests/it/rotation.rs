//! New keys and secrets while the server runs.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use guildpulse::config::Secret;
use jsonwebtoken::{EncodingKey, Header, encode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::command::{Served, printed, send};
use crate::support::signer::{ED25519, P256, set, viewer};
use crate::support::{BOT_TOKEN, GUILD, JWT_SECRET, SOON, Scene, Viewer, client};

const NEW_SECRET: &str = "the next secret, longer than 32 bytes";

fn signed(secret: &str) -> String {
    encode(&Header::default(), &viewer(&json!({})), &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// The HTTP status for somebody who asks for the guild's status.
async fn ask(server: &str, token: &str) -> u16 {
    let ask = client(SOON).get(format!("{server}/api/v1/guilds/{GUILD}/status"));
    ask.bearer_auth(token.trim()).send().await.unwrap().status().as_u16()
}

/// The HTTP status for a bot that beats.
async fn beat(server: &str, token: &str) -> u16 {
    let beat = client(SOON).post(format!("{server}/api/v1/heartbeats")).bearer_auth(token.trim());
    let beat = beat.json(&json!({"shards": [{"id": 0, "count": 1, "state": "ready"}]}));
    beat.send().await.unwrap().status().as_u16()
}

/// Waits until a bot's right has ended with its line.
async fn refused_soon(server: &str, token: &str) {
    let deadline = Instant::now() + SOON;
    while beat(server, token).await != 401 {
        assert!(Instant::now() < deadline, "it goes on without its line");
    }
}

async fn watch(server: &str, token: &str) -> Viewer {
    let mut viewer = Viewer::open(&format!("{server}/api/v1/guilds/{GUILD}/status/stream"), token).await;
    assert_eq!(viewer.status().await["reason"], "never_seen");
    viewer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_previous_secret_verifies_until_it_is_dropped_and_streams_go_on() {
    let scene = Scene::start().await;
    let server = scene.url("");
    let (old, new) = (signed(JWT_SECRET), signed(NEW_SECRET));
    assert_eq!((ask(&server, &old).await, ask(&server, &new).await), (200, 401));
    let mut viewer = watch(&server, &old).await;

    let both = scene.reload(|config| {
        config.jwt_secret = Some(Secret::new(NEW_SECRET));
        config.keys.jwt_previous_secret = Some(Secret::new(JWT_SECRET));
    });
    assert_eq!(both.unwrap().waiting, [""; 0]);
    assert_eq!((ask(&server, &old).await, ask(&server, &new).await), (200, 200));

    scene.reload(|config| config.jwt_secret = Some(Secret::new(NEW_SECRET))).unwrap();
    assert_eq!((ask(&server, &old).await, ask(&server, &new).await), (401, 200));
    assert_eq!(beat(&server, BOT_TOKEN).await, 200);
    viewer.until("online").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_changes_from_a_secret_to_keys_and_to_an_issuer_while_it_runs() {
    let scene = Scene::start().await;
    let server = scene.url("");
    let [first, second] = ED25519;
    scene.reload(|config| first.configure(config, first.public)).unwrap();
    assert_eq!((ask(&server, &signed(JWT_SECRET)).await, ask(&server, &first.token()).await), (401, 200));

    let keys = set(&[first.jwk(&json!({"kid": "1"})), second.jwk(&json!({"kid": "2"}))]);
    scene.reload(|config| first.configure(config, &keys)).unwrap();
    assert_eq!((ask(&server, &first.token_by("1")).await, ask(&server, &second.token_by("2")).await), (200, 200));

    scene.reload(|config| P256[0].configure(config, P256[0].public)).unwrap();
    assert_eq!((ask(&server, &first.token_by("1")).await, ask(&server, &P256[0].token()).await), (401, 200));

    scene.reload(|config| config.keys.jwt_issuer = Some("us".into())).unwrap();
    assert_eq!(ask(&server, &signed(JWT_SECRET)).await, 401);
    assert_eq!(ask(&server, &crate::support::token(&viewer(&json!({"iss": "us"})))).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_leave_the_old_keys_in_force() {
    let [first, second] = ED25519;
    let scene = Scene::with(|config| first.configure(config, first.public)).await;
    for broken in ["", "{\"keys\": []}", P256[0].public] {
        assert!(scene.reload(|config| first.configure(config, broken)).is_err());
        assert_eq!(ask(&scene.url(""), &first.token()).await, 200);
        assert_eq!(beat(&scene.url(""), BOT_TOKEN).await, 200);
    }
    let bot = scene.reload(|config| {
        config.bot_token = Some(Secret::new("the next token of the bot"));
        config.keys.jwt_keys = Some("/nowhere/at/all".into());
    });
    assert!(bot.is_err());
    assert_eq!(beat(&scene.url(""), BOT_TOKEN).await, 200, "all of it or nothing");
    scene.reload(|config| first.configure(config, second.public)).unwrap();
    assert_eq!((ask(&scene.url(""), &first.token()).await, ask(&scene.url(""), &second.token()).await), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_secrets_and_bot_tokens_are_taken_over() {
    let scene = Scene::start().await;
    let worker = printed("token --data data --bot worker-1", scene.data.path()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let reloaded = scene.reload(|config| {
        config.data = elsewhere.path().join("data");
        config.cors_origins = vec!["https://dash.example".parse().unwrap()];
        config.bot_token = Some(Secret::new("the next token of the bot"));
    });
    assert_eq!(reloaded.unwrap().waiting, ["cors_origins", "data"]);
    assert_eq!(beat(&scene.url(""), BOT_TOKEN).await, 401);
    assert_eq!(beat(&scene.url(""), "the next token of the bot").await, 200);
    assert_eq!(beat(&scene.url(""), &worker).await, 200, "its line is in the data folder of the start");
    let answer = scene.get("/api/v1/shards").header("origin", "https://dash.example").send().await.unwrap();
    assert_eq!(answer.headers().get("access-control-allow-origin"), None);
    assert!(!elsewhere.path().join("data").exists());
}

/// Signals SIGHUP and waits until the log says this.
async fn hang_up(server: &mut Served, said: &str) -> String {
    send(&server.process, Signal::HUP);
    server.logged(said).await
}

const TAKEN: &str = "took over keys, secrets and bot tokens";
const KEPT: &str = "keys, secrets and bot tokens stay as they were";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_data_folder_is_rotated_by_moving_it_and_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Served::start(folder.path()).await;
    let old = printed("token --data data --operator", folder.path()).await;
    let bot = fs::read_to_string(data.join("bot-token")).unwrap();
    let mut viewer = watch(&server.url, &old).await;

    fs::rename(data.join("jwt-secret"), data.join("jwt-secret-previous")).unwrap();
    hang_up(&mut server, TAKEN).await;
    let new = printed("token --data data --operator", folder.path()).await;
    assert_eq!((ask(&server.url, &old).await, ask(&server.url, &new).await), (200, 200));

    fs::remove_file(data.join("jwt-secret-previous")).unwrap();
    hang_up(&mut server, TAKEN).await;
    assert_eq!((ask(&server.url, &old).await, ask(&server.url, &new).await), (401, 200));
    assert_eq!(beat(&server.url, &bot).await, 200);
    viewer.until("online").await;

    fs::write(data.join("jwt-secret-previous"), "short").unwrap();
    let line = hang_up(&mut server, KEPT).await;
    assert!(line.contains("jwt-secret-previous has 5 bytes"), "{line}");
    assert_eq!(ask(&server.url, &new).await, 200);
}

fn write_settings(folder: &Path, settings: &Value) {
    let lines = settings.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}\n"));
    fs::write(folder.join("settings.toml"), lines.collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_settings_file_and_says_what_waits_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let write = |change: &Value| {
        let mut settings = json!({"listen": "127.0.0.1:0", "jwt_secret": JWT_SECRET, "bot_token": BOT_TOKEN});
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        write_settings(folder.path(), &settings);
    };
    write(&json!({}));
    let mut server = Served::with("--config settings.toml", folder.path()).await;

    write(&json!({"listen": "127.0.0.1:1", "jwt_secret": NEW_SECRET, "bot_token": "the next token of the bot"}));
    let line = hang_up(&mut server, "need a restart").await;
    assert!(line.contains("listen") && !line.contains("jwt_secret") && !line.contains("bot_token"), "{line}");
    let url = server.url.clone();
    assert_eq!((ask(&url, &signed(JWT_SECRET)).await, ask(&url, &signed(NEW_SECRET)).await), (401, 200));
    assert_eq!((beat(&url, BOT_TOKEN).await, beat(&url, "the next token of the bot").await), (401, 200));

    write(&json!({"jwt_secret": "a secret too short", "bot_token": BOT_TOKEN}));
    let line = hang_up(&mut server, KEPT).await;
    assert!(line.contains("jwt_secret has 18 bytes") && !line.contains("too short"), "{line}");
    write(&json!({"jwt_keys": "keys.json"}));
    assert!(hang_up(&mut server, KEPT).await.contains("jwt_keys is not for HS256"));
    assert_eq!((ask(&url, &signed(JWT_SECRET)).await, ask(&url, &signed(NEW_SECRET)).await), (401, 200));
    assert_eq!((beat(&url, BOT_TOKEN).await, beat(&url, "the next token of the bot").await), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_set_of_keys_leaves_the_old_ones_and_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let [first, second] = ED25519;
    let (one, two) = (first.jwk(&json!({"kid": "1"})), second.jwk(&json!({"kid": "2"})));
    fs::write(&file, set(std::slice::from_ref(&one))).unwrap();
    let arguments = "--listen 127.0.0.1:0 --jwt-algorithm EdDSA --jwt-keys keys.json";
    let mut server = Served::with(arguments, folder.path()).await;
    assert_eq!(ask(&server.url, &first.token_by("1")).await, 200);

    let whole = set(&[one, two]);
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let line = hang_up(&mut server, KEPT).await;
    assert!(line.contains("ERROR") && line.contains("keys.json") && line.contains("JWK set"), "{line}");
    assert_eq!((ask(&server.url, &first.token_by("1")).await, ask(&server.url, &second.token_by("2")).await), (200, 401));

    fs::write(&file, whole).unwrap();
    hang_up(&mut server, TAKEN).await;
    assert_eq!((ask(&server.url, &first.token_by("1")).await, ask(&server.url, &second.token_by("2")).await), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_with_nobody_left_to_read_the_log_is_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ED25519;
    fs::write(folder.path().join("key.pem"), first.public).unwrap();
    let arguments = "--listen 127.0.0.1:0 --jwt-algorithm EdDSA --jwt-keys key.pem";
    let Served { process, url, log, .. } = Served::with(arguments, folder.path()).await;
    let mut viewer = watch(&url, &first.token()).await;
    drop(log);
    fs::write(folder.path().join("key.pem"), second.public).unwrap();
    send(&process, Signal::HUP);
    let deadline = Instant::now() + SOON;
    while ask(&url, &second.token()).await != 200 {
        assert!(Instant::now() < deadline, "the new key is taken");
    }
    let bot = fs::read_to_string(folder.path().join("data/bot-token")).unwrap();
    assert_eq!(beat(&url, &bot).await, 200);
    viewer.until("online").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_list_is_told_from_the_old_one_by_its_text() {
    let scene = Scene::start().await;
    let list = scene.data.path().join("data/bot-tokens");
    let server = scene.url("");
    let mut tokens = Vec::new();
    for name in ["bot-a", "bot-b"] {
        tokens.push(printed(&format!("token --data data --bot {name}"), scene.data.path()).await);
    }
    let lines = fs::read_to_string(&list).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    // One line for another of the same length, under a clock that has not moved meanwhile: nothing
    // but the text tells the files apart.
    let young = SystemTime::now() + SOON;
    for turn in 0..4 {
        fs::write(&list, lines[turn % 2]).unwrap();
        fs::File::options().append(true).open(&list).unwrap().set_modified(young).unwrap();
        assert_eq!(beat(&server, &tokens[turn % 2]).await, 200, "turn {turn}");
        assert_eq!(beat(&server, &tokens[(turn + 1) % 2]).await, 401, "turn {turn}");
    }
    fs::remove_file(&list).unwrap();
    for token in &tokens {
        refused_soon(&server, token).await;
    }
    assert_eq!(beat(&server, BOT_TOKEN).await, 200, "but for the configured token");
}
