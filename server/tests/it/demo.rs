//! `serve --demo` as a process: what it prints, and what becomes of its bot.

use std::path::Path;
use std::process::Stdio;

use reqwest::header::{COOKIE, SET_COOKIE};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, timeout};

use crate::support::browser::Viewer;
use crate::support::command::{ended, guildpulse, send};
use crate::support::{SOON, answer, client, eventually};

struct Demo {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
    code: String,
}

impl Demo {
    async fn start(listen: &str, folder: &Path) -> Self {
        let mut command = guildpulse(&format!("serve --demo --listen {listen}"), folder);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut demo = Self { process, output, url: String::new(), code: String::new() };
        (demo.url, demo.code) = demo.link().await;
        demo
    }

    /// The next link that it prints, taken apart.
    async fn link(&mut self) -> (String, String) {
        let wait = async {
            loop {
                let line = self.output.next_line().await.unwrap().expect("it goes on");
                if let Some((url, code)) = line.split_once("/#code=") {
                    return (url.split_whitespace().last().unwrap().to_owned(), code.trim().to_owned());
                }
            }
        };
        timeout(SOON, wait).await.expect("a link")
    }

    /// Signs in by the code; the cookie, if it was good.
    async fn sign_in(&self, code: &str) -> Option<String> {
        let session = client(SOON).post(format!("{}/page/code", self.url)).bearer_auth(code).send().await.unwrap();
        let cookie = session.headers().get(SET_COOKIE)?.to_str().unwrap();
        Some(cookie.split(';').next().unwrap().to_owned())
    }

    async fn get(&self, path: &str, cookie: &str) -> Value {
        let (status, body) = answer(client(SOON).get(format!("{}{path}", self.url)).header(COOKIE, cookie)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn press(&self, scene: &str, cookie: &str) -> u16 {
        let pressed = client(SOON).post(format!("{}/demo/{scene}", self.url)).header(COOKIE, cookie);
        pressed.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_and_the_next_one_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start("127.0.0.1:0", folder.path()).await;
    assert!(demo.sign_in("00000000000000000000000000000000").await.is_none());
    let cookie = demo.sign_in(&demo.code).await.expect("it is good");
    assert!(demo.sign_in(&demo.code).await.is_none(), "but once");
    let (_, next) = demo.link().await;
    assert!(next != demo.code && demo.sign_in(&next).await.is_some());

    let start = demo.get("/page/start", &cookie).await;
    assert_eq!(start["demo"], true);
    let every_shard = async || demo.get("/api/v1/shards", &cookie).await["shards"].as_array().unwrap().len() == 16;
    eventually("all shards beat", every_shard).await;
    let metrics = client(SOON).get(format!("{}/metrics", demo.url)).header(COOKIE, &cookie).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in ["store_state{state=\"memory\"} 1", "store_writable 1", "store_lag_seconds 0.0"] {
        assert!(metrics.contains(&format!("\nguildpulse_{line}\n")), "{line}: {metrics}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "everything is in memory");
    send(&demo.process, Signal::TERM);
    assert_eq!(ended(&mut demo.process).await.code(), Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_a_button_sees_it_happen_on_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start("127.0.0.1:0", folder.path()).await;
    let cookie = demo.sign_in(&demo.code).await.unwrap();
    let guild = demo.get("/page/start", &cookie).await["guildId"].as_str().unwrap().to_owned();
    let stream = format!("{}/api/v1/guilds/{guild}/status/stream", demo.url);
    let mut viewer = Viewer::of(client(SOON * 12).get(stream).header(COOKIE, &cookie).send().await.unwrap());
    viewer.until("online").await;
    assert_eq!(demo.press("crash", &cookie).await, 202);
    let down = viewer.until_within("offline", SOON * 2).await;
    assert_eq!((&down["reason"], &down["shard"]["id"]), (&"heartbeat_timeout".into(), &3.into()));
    // What is under way is brought to its end first, so the shard is back at once.
    assert_eq!(demo.press("deploy", &cookie).await, 202);
    let deadline = Instant::now() + SOON;
    let version = down["version"].clone();
    while viewer.status().await["version"] == version {
        assert!(Instant::now() < deadline, "the new version is seen");
    }
    assert_eq!(demo.press("outage", &cookie).await, 202);
    // Of the four processes, the first alone is no outage yet.
    while viewer.until("reconnecting").await["reason"] != "discord_outage" {}
    assert_eq!(demo.press("flood", &cookie).await, 404);
    assert_eq!(demo.press("crash", "auth_token=x").await, 401);
    let foreign = client(SOON).post(format!("{}/demo/crash", demo.url)).header(COOKIE, &cookie);
    assert_eq!(foreign.header("sec-fetch-site", "cross-site").send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_demo_takes_a_free_port_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let first = Demo::start("127.0.0.1:0", folder.path()).await;
    let taken = first.url.strip_prefix("http://").unwrap();
    let second = Demo::start(taken, folder.path()).await;
    assert_ne!(first.url, second.url);
    assert!(second.sign_in(&second.code).await.is_some() && first.sign_in(&first.code).await.is_some());
}
