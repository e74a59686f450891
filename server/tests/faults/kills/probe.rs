//! What the machine itself holds up: a thread that does what the store's does, and nothing else.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it writes.
const EVERY: Duration = Duration::from_millis(5);
/// How long before a kill a stall may have cost something.
const BEFORE: Duration = Duration::from_millis(500);

/// Sleeps and writes, over and over, on the disk that the server writes on.
pub(super) struct Probe {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Stalls>,
}

/// When a round ended, and how much longer it took than it should.
pub(super) struct Stalls(Vec<(Instant, Duration)>);

impl Probe {
    pub(super) fn start(folder: &Path) -> Self {
        let (stopped, mut file) = (Arc::new(AtomicBool::new(false)), File::create(folder.join("probe")).unwrap());
        let until = stopped.clone();
        let rounds = move || {
            let mut stalls = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(EVERY);
                file.rewind().unwrap();
                file.write_all(&[0; 4096]).unwrap();
                let now = Instant::now();
                stalls.push((now, (now - begun).saturating_sub(EVERY)));
            }
            Stalls(stalls)
        };
        Self { stopped, thread: std::thread::spawn(rounds) }
    }

    pub(super) fn stop(self) -> Stalls {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Stalls {
    /// The longest just before this moment.
    pub(super) fn before(&self, kill: Instant) -> Duration {
        let near = self.0.iter().filter(|(end, stall)| *end + BEFORE >= kill && *end <= kill + *stall);
        near.map(|(_, stall)| *stall).max().unwrap_or_default()
    }
}
