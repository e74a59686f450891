//! A backend that is restarted again and again: what the gateway's process keeps of it.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::backend::{Backend, Killed, TOKEN, healthy, unhealthy};
use crate::support::command::Served;
use crate::support::{SOON, Viewer, eventually};

/// `make soak` wants 500.
const RESTARTS: usize = 40;
/// Until buffers and caches have their size.
const WARM_UP: usize = 10;
const GUILDS: u64 = 20;
/// Connections that are kept for questions.
const IDLE: usize = 8;
/// What the allocator keeps for later differs by that from look to look.
const SLACK_KIB: u64 = 512;

#[expect(clippy::disallowed_methods, reason = "who runs the test says how often")]
fn restarts() -> usize {
    std::env::var("GUILDPULSE_RESTARTS").ok().map_or(RESTARTS, |number| number.parse().unwrap())
}

/// What a process has: descriptors, threads, and memory in KiB.
#[derive(Debug)]
struct Kept {
    descriptors: usize,
    threads: usize,
    memory: u64,
}

/// The least of several looks.
async fn look(pid: u32) -> Kept {
    let memory = || -> u64 {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    };
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    let mut least = Kept { descriptors: usize::MAX, threads: usize::MAX, memory: u64::MAX };
    for _ in 0..20 {
        least.descriptors = least.descriptors.min(count("fd"));
        least.threads = least.threads.min(count("task"));
        least.memory = least.memory.min(memory());
        sleep(Duration::from_millis(50)).await;
    }
    least
}

async fn restart(backend: Backend) -> Backend {
    let killed: Killed = backend.kill().await;
    let backend = killed.back().await;
    let streams = usize::try_from(GUILDS).unwrap();
    eventually("the streams are open again", async || backend.streams() == streams).await;
    backend
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_the_backend_leave_no_socket_no_task_and_no_byte_behind() {
    let mut backend = Backend::start().await;
    let folder = tempfile::tempdir().unwrap();
    let upstream = format!("--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --upstream {}", backend.url());
    let gateway = Served::with(&upstream, folder.path()).await;
    let mut viewers = Vec::new();
    for guild in 1..=GUILDS {
        let mut viewer = Viewer::open(&format!("{}/api/guilds/{guild}/status/stream", gateway.url), TOKEN).await;
        viewer.status().await;
        viewers.push(viewer);
    }
    for _ in 0..WARM_UP {
        backend = restart(backend).await;
    }
    let pid = gateway.process.id().unwrap();
    let before = look(pid).await;
    for _ in 0..restarts() {
        backend = restart(backend).await;
    }
    let after = look(pid).await;
    assert_eq!(after.threads, before.threads, "{before:?} {after:?}");
    // A question that was asked meanwhile leaves its connection for the next.
    assert!(after.descriptors <= before.descriptors + IDLE, "{before:?} {after:?}");
    assert!(after.memory <= before.memory + SLACK_KIB, "{before:?} {after:?}");

    // All are there, were told of nothing, and go on to be told.
    for state in [unhealthy(), healthy()] {
        let word = if state == healthy() { "online" } else { "offline" };
        backend.says(state);
        let deadline = Instant::now() + SOON;
        for viewer in &mut viewers {
            viewer.until_within(word, deadline.saturating_duration_since(Instant::now())).await;
        }
    }
}
