//! The threads of a server, and how it waits for them.

use std::num::NonZero;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listener::{self, Door};

/// How long the admin address has to finish what it is at, when everything else has ended.
const ADMIN_DRAIN: Duration = Duration::from_millis(500);

/// Waits until it is so.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How many threads write to streams: half of the cores, so that the rest answers requests.
pub(super) fn reactors() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).max(1)
}

/// Starts a thread of the server. A panic in it ends the process: a server that goes on without one
/// of its threads would say wrong things.
pub(super) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    struct Fuse;

    impl Drop for Fuse {
        fn drop(&mut self) {
            if std::thread::panicking() {
                std::process::abort();
            }
        }
    }

    let guarded = move || {
        let _fuse = Fuse;
        run();
    };
    std::thread::Builder::new().name(name.into()).spawn(guarded).expect("a thread can be started")
}

/// Serves the admin address, on a runtime of its own: a storm of viewers cannot delay beats there.
pub(super) fn run_admin(listener: std::net::TcpListener, door: Door, ended: CancellationToken) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let tasks = TaskTracker::new();
        let listener = TcpListener::from_std(listener).expect("the listener does not block");
        listener::serve(listener, door, ended, tasks.clone()).await;
        tasks.close();
        tokio::time::timeout(ADMIN_DRAIN, tasks.wait()).await.ok();
    });
}
