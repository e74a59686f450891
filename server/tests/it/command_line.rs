//! The command: what it prints, where it stops, and its exit codes.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::support::command::{Served, ended, guildpulse, output, printed, refusal, send};
use crate::support::{GUILD, SOON, Scene, Viewer, client};

/// The limits that `guildpulse config` shows when nobody has set any.
const REST: &str = "max_body_bytes = 2097152\nmax_head_bytes = 65536\nhead_timeout_ms = 12500\nbody_timeout_ms = 10000\ntrusted_proxies = []\nupstream_healthy = \"/healthy\"\nupstream_last_heartbeat = \"/lastHeartbeat\"\nupstream_version = \"/version\"\nper_viewer = false\nmax_upstream_streams = 1000\n";

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_and_bad_settings_are_one_clear_line_exit_2_and_nothing_touched() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    std::fs::write(folder.path().join("unknown.toml"), "# settings\nlissten = \"127.0.0.1:1\"\n").unwrap();
    std::fs::write(folder.path().join("wrong.toml"), "listen = 80\n").unwrap();
    std::fs::write(folder.path().join("binary.toml"), b"\xff\xfe").unwrap();
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    for (arguments, words) in [
        ("serve --config missing.toml", &["missing.toml"][..]),
        ("serve --config .", &["cannot read", "."]),
        ("serve --upstream backend:3001", &["--upstream", "http://backend:3001"]),
        ("serve --upstream http://127.0.0.1:1 --upstream-healthy bot", &["--upstream-healthy", "slash"]),
        ("serve --upstream http://127.0.0.1:1 --upstream-ca missing.pem", &["missing.pem"]),
        ("serve --upstream http://127.0.0.1:1 --demo", &["demo", "upstream", "choose one"]),
        ("serve --config binary.toml", &["binary.toml"]),
        ("serve --config unknown.toml", &["unknown.toml:2", "lissten", "expected one of"]),
        ("serve --config wrong.toml", &["wrong.toml:1", "80"]),
        ("serve --lissten 127.0.0.1:0", &["--lissten"]),
        ("serve --listen nonsense", &["--listen", "nonsense"]),
        ("serve --jwt-algorithm none", &["--jwt-algorithm", "none", "HS256, EdDSA, RS256 or ES256"]),
        ("serve --jwt-algorithm RS256", &["RS256", "jwt_keys", "PEM public key", "JWK set"]),
        ("serve --jwt-keys wrong.toml", &["jwt_keys", "HS256", "jwt_algorithm"]),
        ("serve --jwt-algorithm RS256 --jwt-keys missing.pem --listen 127.0.0.1:0", &["missing.pem"]),
        ("serve --cors-origins *", &["--cors-origins", "origin"]),
        ("serve --max-viewers 0", &["max_viewers", "it has to be 1 to"]),
        ("serve --trusted-proxy 10.0.0.1,elsewhere", &["--trusted-proxy", "elsewhere", "10.0.0.0/8"]),
        (&format!("serve --listen {taken}"), &["cannot listen on", &taken.to_string()]),
        (&format!("serve --listen 127.0.0.1:0 --admin-listen {taken}"), &["cannot listen on", &taken.to_string()]),
        ("serve --listen 127.0.0.1:0 --data unknown.toml/data", &["unknown.toml/data"]),
        ("token", &["required"]),
        ("token --guild 007", &["007", "guild id"]),
        ("token --guild 1 --ttl 5x", &["5x"]),
        ("token --bot a/b", &["name"]),
        ("beat --url http://127.0.0.1:1", &["GUILDPULSE_TOKEN"]),
        ("beat --url http://127.0.0.1:1 --token-file missing", &["missing"]),
        ("beat --url http://127.0.0.1:1 --shard 1/1", &["1/1"]),
        ("beat --url ftp://127.0.0.1 --token-file unknown.toml", &["ftp://127.0.0.1"]),
        ("nonsense", &["nonsense"]),
    ] {
        let (code, said) = refusal(arguments, folder.path()).await;
        assert_eq!(code, Some(2), "{arguments}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments}: {said}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before, "{arguments} left something behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = guildpulse("serve --listen 127.0.0.1:0", folder.path());
    command.env("GUILDPULSE_JWT_SECRET", "short");
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "guildpulse: jwt_secret has 5 bytes; it needs at least 32\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_secret_file_is_refused() {
    for name in ["jwt-secret", "bot-token"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data").join(name), "\n").unwrap();
        let (code, said) = refusal("serve --listen 127.0.0.1:0 --data data", folder.path()).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(name) && said.contains("0 bytes"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_variable_counts_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = guildpulse("config", folder.path());
    for name in [
        "LISTEN",
        "ADMIN_LISTEN",
        "DATA",
        "DEMO",
        "LOG_FORMAT",
        "CONFIG",
        "PUBLIC_URL",
        "CORS_ORIGINS",
        "JWT_SECRET",
        "BOT_TOKEN",
        "JWT_ALGORITHM",
        "JWT_KEYS",
        "JWT_ISSUER",
        "JWT_AUDIENCE",
        "JWT_PREVIOUS_SECRET",
        "MAX_VIEWERS",
        "TRUSTED_PROXIES",
    ] {
        command.env(format!("GUILDPULSE_{name}"), "");
    }
    let output = output(command).await;
    let expected = "listen = \"127.0.0.1:3001\"\ndata = \"./guildpulse-data\"\ndemo = false\nlog_format = \"human\"\nretention_days = 100\ndrain_seconds = 5\ncors_origins = []\njwt_algorithm = \"HS256\"\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{expected}{REST}"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        "listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata = \"from-file\"\nbot_token = \"0123456789abcdef\"\n";
    std::fs::write(folder.path().join("guildpulse.toml"), file).unwrap();
    let mut command = guildpulse("config --config guildpulse.toml --listen 127.0.0.1:3", folder.path());
    command.env("GUILDPULSE_LISTEN", "127.0.0.1:4").env("GUILDPULSE_ADMIN_LISTEN", "127.0.0.1:5");
    let said = String::from_utf8(output(command).await.stdout).unwrap();
    let expected = "listen = \"127.0.0.1:3\"\nadmin_listen = \"127.0.0.1:5\"\ndata = \"from-file\"\ndemo = false\nlog_format = \"human\"\nretention_days = 100\ndrain_seconds = 5\ncors_origins = []\nbot_token = \"hidden\"\njwt_algorithm = \"HS256\"\n";
    assert_eq!(said, format!("{expected}{REST}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_documented_and_every_documented_setting_exists() {
    let folder = tempfile::tempdir().unwrap();
    let page = include_str!("../../../docs/configuration.md");
    let help = output(guildpulse("serve --help", folder.path())).await;
    let help = String::from_utf8(help.stdout).unwrap();
    let mut documented = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let names: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (key, flag, variable) = (names[1], names[2], names[3]);
        let flags = ["{flag} <", "{flag}[=<"].map(|pattern| pattern.replace("{flag}", flag));
        assert!(flag.is_empty() || flags.iter().any(|flag| help.contains(flag)), "{flag}");
        assert!(flag.is_empty() || help.contains(&format!("[env: {variable}=]")), "{variable}");
        documented.push(key.to_owned());
    }
    // The refusal of an unknown key lists those that there are.
    std::fs::write(folder.path().join("unknown.toml"), "unknown = 1\n").unwrap();
    let (_, said) = refusal("serve --config unknown.toml", folder.path()).await;
    let known = said.split("expected one of ").nth(1).unwrap().trim();
    let mut known: Vec<_> = known.split(", ").map(|key| key.trim_matches('`').to_owned()).collect();
    known.sort();
    documented.sort();
    assert_eq!(documented, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_secrets_that_only_their_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path()).await;
    for name in ["jwt-secret", "bot-token", "bot-tokens"] {
        let mode = std::fs::metadata(folder.path().join("data").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let token = std::fs::read_to_string(folder.path().join("data/bot-token")).unwrap();
    let http = client(SOON);
    let beat = http.post(format!("{}/api/v1/heartbeats", server.url)).bearer_auth(token.trim());
    let beat = beat.json(&serde_json::json!({"shards": [{"id": 0, "count": 1}]})).send().await.unwrap();
    assert_eq!(beat.status(), 200);
    let hashes = std::fs::read_to_string(folder.path().join("data/bot-tokens")).unwrap();
    assert!(!hashes.contains(token.trim()), "only the hash is kept there");
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_tokens_work_at_once_and_only_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path()).await;
    let viewer = printed(&format!("token --data data --guild {GUILD} 7 --ttl 90s"), folder.path()).await;
    let operator = printed("token --data data --operator", folder.path()).await;
    let bot = printed("token --data data --bot worker-1", folder.path()).await;
    let http = client(SOON);
    let get = async |path: &str, token: &str| {
        http.get(format!("{}{path}", server.url)).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(&format!("/api/v1/statuses?guilds={GUILD},7"), &viewer).await, 200);
    assert_eq!(get("/api/v1/guilds/8/status", &viewer).await, 403);
    assert_eq!(get("/api/v1/shards", &viewer).await, 403);
    assert_eq!(get("/api/v1/shards", &operator).await, 200);
    let beat = async || {
        let beat = http.post(format!("{}/api/v1/heartbeats", server.url)).bearer_auth(&bot);
        beat.json(&serde_json::json!({"shards": [{"id": 0, "count": 1}]})).send().await.unwrap()
    };
    let first = beat().await;
    assert_eq!(first.status(), 200, "a running server picks up a new bot token");
    assert_eq!(first.json::<Value>().await.unwrap()["accepted"], 1);
    let list = folder.path().join("data/bot-tokens");
    let others: Vec<_> = std::fs::read_to_string(&list)
        .unwrap()
        .lines()
        .filter(|line| !line.contains("worker-1"))
        .map(String::from)
        .collect();
    std::fs::write(&list, others.join("\n")).unwrap();
    let deadline = tokio::time::Instant::now() + SOON;
    while beat().await.status() != 401 {
        assert!(tokio::time::Instant::now() < deadline, "a right goes with its line");
    }
    let second = printed("token --data data --bot worker-2", folder.path()).await;
    for token in [second, std::fs::read_to_string(folder.path().join("data/bot-token")).unwrap()] {
        let beat = http.post(format!("{}/api/v1/heartbeats", server.url)).bearer_auth(token.trim());
        let beat = beat.json(&serde_json::json!({"shards": [{"id": 0, "count": 1}]})).send().await.unwrap();
        assert_eq!(beat.status(), 200, "a last line without an end is no harm");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_token_ends_if_it_was_made_to() {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path()).await;
    let bot = printed("token --data data --bot guest --ttl 1s", folder.path()).await;
    let beat = async || {
        let beat = client(SOON).post(format!("{}/api/v1/heartbeats", server.url)).bearer_auth(&bot);
        beat.json(&serde_json::json!({"shards": [{"id": 0, "count": 1}]})).send().await.unwrap()
    };
    let deadline = tokio::time::Instant::now() + SOON;
    let refused = loop {
        let answer = beat().await;
        if answer.status() != 200 {
            break answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "it goes on after its end");
    };
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "expired_credential");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_terminated_says_goodbye_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Served::start(folder.path()).await;
    let operator = printed("token --data data --operator", folder.path()).await;
    let url = format!("{}/api/v1/guilds/{GUILD}/status/stream", server.url);
    let mut viewer = Viewer::open(&url, &operator).await;
    viewer.status().await;
    send(&server.process, Signal::TERM);
    assert_eq!(viewer.event().await.kind, "goodbye");
    assert_eq!(ended(&mut server.process).await.code(), Some(0));
    let mut log = String::new();
    while let Some(line) = server.log.next_line().await.unwrap() {
        log += &line;
    }
    assert!(log.contains("stopped") && !log.contains(&operator), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthcheck_is_0_for_a_server_that_answers_and_1_for_none() {
    let scene = Scene::start().await;
    let folder = scene.data.path();
    let check = |url: String| output(guildpulse(&format!("healthcheck --url {url}"), folder));
    assert_eq!(check(scene.url("")).await.status.code(), Some(0));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = check(format!("http://{free}")).await;
    assert_eq!((dead.status.code(), String::from_utf8(dead.stderr).unwrap().lines().count()), (Some(1), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_of_a_start_names_address_mode_and_data_folder_also_as_json() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, mode, data) in [("", "server", "data"), ("--demo", "demo", "none, all in memory")] {
        let arguments = format!("serve --listen 127.0.0.1:0 --data data --log-format json {arguments}");
        let mut process =
            guildpulse(&arguments, folder.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = loop {
            let line = timeout(SOON, log.next_line()).await.expect("it starts").unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if line["message"].as_str().unwrap().starts_with("listening on http://127.0.0.1:") {
                break line;
            }
        };
        assert_eq!(
            (line["level"].as_str(), line["mode"].as_str(), line["data"].as_str()),
            (Some("INFO"), Some(mode), Some(data))
        );
        assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_collects_the_output_of_a_server_gets_no_link_that_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = guildpulse("serve --listen 127.0.0.1:0 --data data", folder.path());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    while !timeout(SOON, log.next_line()).await.expect("it starts").unwrap().unwrap().contains("listening on") {}
    send(&process, Signal::TERM);
    let output = timeout(SOON * 2, process.wait_with_output()).await.expect("it ends").unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
