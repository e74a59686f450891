//! The list of bots in the data folder while the server runs: what it gives and what it takes, also
//! when its disk does not answer or is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::command::{Served, ended, printed, refusal, send};
use crate::support::{BOT_TOKEN, client};

/// Within this, a change of the list counts.
const SECOND: Duration = Duration::from_secs(1);
const TAKEN: &str = "took over keys, secrets and bot tokens";
const KEPT: &str = "keys, secrets and bot tokens stay as they were";
const GONE: &str = "those known keep their right";

/// A server as a process, and the folder that it is in.
struct Stage {
    server: Served,
    folder: TempDir,
    http: Client,
}

impl Stage {
    /// With the bot's token made at the first start, as it comes.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { server: Served::start(folder.path()).await, folder, http: client(SECOND) }
    }

    /// With these settings.
    async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("settings.toml"), settings).unwrap();
        let server = Served::with("--listen 127.0.0.1:0 --config settings.toml", folder.path()).await;
        Self { server, folder, http: client(SECOND) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }

    async fn new_token(&self, name: &str) -> String {
        printed(&format!("token --data data --bot {name}"), self.folder.path()).await
    }

    /// The HTTP status for a bot that beats; the answer has a second.
    async fn beat(&self, token: &str) -> u16 {
        let beat = self.http.post(format!("{}/api/v1/heartbeats", self.server.url)).bearer_auth(token);
        let beat = beat.json(&json!({"shards": [{"id": 0, "count": 1, "state": "ready"}]}));
        beat.send().await.expect("an answer within a second").status().as_u16()
    }

    /// Waits until the token has no right any more, which must be within a second.
    async fn ends(&self, token: &str) {
        let begin = Instant::now();
        while self.beat(token).await == 200 {
            assert!(begin.elapsed() < SECOND, "the right goes on");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Beats for longer than it takes to notice a change; each beat must count.
    async fn goes_on(&self, token: &str) {
        let begin = Instant::now();
        while begin.elapsed() < SECOND * 3 / 2 {
            let answers = (self.beat(token).await, self.beat("nobody's").await);
            assert_eq!(answers, (200, 401), "after {:?}", begin.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn hang_up(&mut self, said: &str) -> String {
        send(&self.server.process, Signal::HUP);
        self.server.logged(said).await
    }

    /// Stops the server and counts the lines of the log from here on that hold these words.
    async fn stop_and_count(mut self, words: &str) -> usize {
        send(&self.server.process, Signal::TERM);
        let mut count = 0;
        while let Some(line) = self.server.log.next_line().await.unwrap() {
            count += usize::from(line.contains(words));
        }
        count
    }

    /// Takes the data folder out of the server's sight, and whatever the server has made in its
    /// place since.
    fn move_data(&self, to: &str) {
        fs::rename(self.path("data"), self.path(to)).unwrap();
    }

    fn bring_back(&self, from: &str) {
        // The store may be making a folder of its own at the same time.
        while fs::rename(self.path(from), self.path("data")).is_err() {
            fs::remove_dir_all(self.path("data")).ok();
        }
    }
}

/// Puts something in place of a file, with no moment in between.
fn replace(file: &Path, make: impl FnOnce(&Path)) {
    let draft = file.with_extension("draft");
    make(&draft);
    fs::rename(draft, file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_on_a_disk_that_hangs_delays_no_beat_and_not_the_stop() {
    let mut stage = Stage::with(&format!("bot_token = \"{BOT_TOKEN}\"\n")).await;
    let listed = stage.new_token("worker").await;
    assert_eq!(stage.beat(&listed).await, 200);
    // Who opens a pipe that nobody writes to waits for ever.
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    replace(&stage.path("data/bot-tokens"), pipe);

    let asked = (0..64).map(|_| stage.beat("nobody's"));
    let begin = Instant::now();
    assert_eq!(futures_util::future::join_all(asked).await, [401; 64]);
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
    for _ in 0..20 {
        assert_eq!((stage.beat(BOT_TOKEN).await, stage.beat(&listed).await), (200, 200));
        let health = stage.http.get(format!("{}/healthz", stage.server.url)).send().await.unwrap();
        assert_eq!(health.status(), 200);
    }
    // A reload has to read the list, too.
    send(&stage.server.process, Signal::HUP);
    stage.goes_on(BOT_TOKEN).await;
    let begin = Instant::now();
    send(&stage.server.process, Signal::TERM);
    assert_eq!(ended(&mut stage.server.process).await.code(), Some(0));
    assert!(begin.elapsed() < 3 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_counts_at_once_and_its_end_within_a_second() {
    let stage = Stage::with(&format!("bot_token = \"{BOT_TOKEN}\"\n")).await;
    let list = stage.path("data/bot-tokens");
    for turn in 0..3 {
        let token = stage.new_token("worker").await;
        assert_eq!(stage.beat(&token).await, 200, "turn {turn}");
        fs::write(&list, "").unwrap();
        stage.ends(&token).await;
    }
    let token = stage.new_token("worker").await;
    assert_eq!(stage.beat(&token).await, 200);
    fs::remove_file(&list).unwrap();
    stage.ends(&token).await;
    assert_eq!(stage.beat(BOT_TOKEN).await, 200, "the configured token has no line to lose");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_gone_takes_no_bot_s_right_and_is_logged_once() {
    let mut stage = Stage::start().await;
    let bot = stage.read("data/bot-token");
    stage.move_data("away");
    stage.goes_on(&bot).await;
    stage.server.logged(GONE).await;

    stage.bring_back("away");
    let second = stage.new_token("second").await;
    assert_eq!(stage.beat(&second).await, 200, "a folder that is back is the old one");
    stage.move_data("away");
    stage.server.logged(GONE).await;
    stage.goes_on(&second).await;
    assert_eq!(stage.stop_and_count(GONE).await, 0, "one warning for each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_data_folder_counts_as_soon_as_it_has_a_list_of_its_own() {
    let stage = Stage::start().await;
    let bot = stage.read("data/bot-token");
    stage.move_data("away");
    fs::create_dir_all(stage.path("data")).unwrap();
    stage.goes_on(&bot).await;

    let other = stage.new_token("other").await;
    assert_eq!((stage.beat(&other).await, stage.beat(&bot).await), (200, 401));
    fs::remove_file(stage.path("data/bot-tokens")).unwrap();
    stage.ends(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_there_but_cannot_be_read_is_an_error_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/bot-tokens")).unwrap();
    fs::write(folder.path().join("settings.toml"), format!("bot_token = \"{BOT_TOKEN}\"\n")).unwrap();
    for arguments in ["", " --config settings.toml"] {
        let (code, said) = refusal(&format!("serve --listen 127.0.0.1:0 --data data{arguments}"), folder.path()).await;
        assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("data/bot-tokens"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_takes_no_right_at_a_hangup_either() {
    let mut stage = Stage::start().await;
    let bot = stage.read("data/bot-token");
    fs::remove_file(stage.path("data/bot-tokens")).unwrap();
    fs::create_dir(stage.path("data/bot-tokens")).unwrap();
    let line = stage.hang_up(KEPT).await;
    assert!(line.contains("data/bot-tokens"), "{line}");
    stage.goes_on(&bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_makes_no_secrets_where_the_data_folder_has_been() {
    let mut stage = Stage::start().await;
    let bot = stage.read("data/bot-token");
    let viewer = printed("token --data data --operator", stage.folder.path()).await;
    for made in [false, true] {
        stage.move_data("away");
        if made {
            fs::create_dir_all(stage.path("data")).unwrap();
        }
        stage.hang_up(KEPT).await;
        stage.goes_on(&bot).await;
        let ask = stage.http.get(format!("{}/api/v1/shards", stage.server.url)).bearer_auth(&viewer);
        assert_eq!(ask.send().await.unwrap().status(), 200);
        for name in ["jwt-secret", "bot-token", "bot-tokens"] {
            assert!(!stage.path("data").join(name).exists(), "{name}");
        }
        stage.bring_back("away");
    }
    stage.hang_up(TAKEN).await;
    assert_eq!(stage.beat(&bot).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_for_viewers_is_an_error_of_a_hangup_that_is_no_rotation() {
    let mut stage = Stage::start().await;
    let viewer = printed("token --data data --operator", stage.folder.path()).await;
    let kept = stage.read("data/jwt-secret");
    fs::remove_file(stage.path("data/jwt-secret")).unwrap();
    let line = stage.hang_up(KEPT).await;
    assert!(line.contains("data/jwt-secret") && line.contains("jwt-secret-previous"), "{line}");
    assert!(!line.contains(&kept), "{line}");
    assert!(!stage.path("data/jwt-secret").exists());
    let ask = stage.http.get(format!("{}/api/v1/shards", stage.server.url)).bearer_auth(&viewer);
    assert_eq!(ask.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_removed_from_its_folder_is_an_empty_one_and_not_made_anew() {
    let mut stage = Stage::start().await;
    let bot = stage.read("data/bot-token");
    fs::remove_file(stage.path("data/bot-tokens")).unwrap();
    fs::remove_file(stage.path("data/bot-token")).unwrap();
    stage.hang_up(TAKEN).await;
    assert_eq!(stage.beat(&bot).await, 401);
    assert!(!stage.path("data/bot-tokens").exists() && !stage.path("data/bot-token").exists());
}
