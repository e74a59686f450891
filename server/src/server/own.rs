//! A server whose statuses come from beats.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::threads::{thread, until};
use super::{Base, FLUSH, StartError};
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::{Demo, Remote};
use crate::http::{App, Start};
use crate::hub::Hub;
use crate::liveness::Stored;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::store::{Opened, Settings, Store, Writer};
use crate::stream::Source;

/// What it has besides addresses and streams.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) app: Arc<App>,
    /// None if nothing is to outlive the process.
    writer: Option<Writer>,
    demo: Option<Demo>,
    pub(super) made: Vec<String>,
}

/// The same while it runs.
pub(super) struct Running {
    pub(super) app: Arc<App>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

/// What a server begins with, and where it keeps it.
struct Kept {
    auth: Authenticator,
    made: Vec<String>,
    disk: Option<(Arc<Store>, Writer)>,
    boot: u64,
    stored: Stored,
    demo: Option<(Demo, Remote)>,
}

impl Kept {
    fn on_disk(config: &Config, clock: Clock, metrics: Metrics) -> Result<Self, StartError> {
        let (auth, made) = Authenticator::open(config)?;
        let retention = Duration::from_secs(u64::from(config.retention_days) * 24 * 60 * 60);
        let settings = Settings { folder: config.data.clone(), retention, clock, metrics };
        let Opened { store, writer, boot, stored } =
            Store::open(settings).map_err(|source| StartError::Store { folder: config.data.clone(), source })?;
        Ok(Self { auth, made, disk: Some((store, writer)), boot, stored, demo: None })
    }

    /// A simulated bot, and nothing that outlives the process.
    fn in_memory(addr: SocketAddr, clock: Clock, metrics: &Metrics) -> Result<Self, StartError> {
        // Nothing is to be written, so nothing stands in the way of it.
        metrics.store_writable.set(1);
        let (auth, token) = Authenticator::in_memory();
        let demo = Demo::new(addr, token, clock).map_err(StartError::Demo)?;
        let boot = clock.now().wall.unix_seconds();
        Ok(Self { auth, made: Vec::new(), disk: None, boot, stored: Stored::default(), demo: Some(demo) })
    }
}

impl Own {
    /// Opens the data folder, if there is to be one. A simulated bot beats to this address.
    pub(super) fn open(base: &Base<'_>, addr: SocketAddr, hub: Hub) -> Result<Self, StartError> {
        let (config, clock, metrics) = (base.config, base.clock, base.metrics.clone());
        let Kept { auth, made, disk, boot, stored, demo } = if config.demo {
            Kept::in_memory(addr, clock, &metrics)?
        } else {
            Kept::on_disk(config, clock, metrics.clone())?
        };
        let (store, writer) = disk.unzip();
        let (demo, remote) = demo.unzip();
        let monitor = Arc::new(Monitor::new(clock, boot, stored, store.clone(), hub, metrics));
        let common = base.common(Source::Monitor(monitor.clone()));
        let app = App { common, monitor, store, auth, start: Start::of(config), demo: remote };
        Ok(Self { app: Arc::new(app), writer, demo, made })
    }

    /// Starts the threads that it needs, of which that of the monitor is the first, and the simulated bot.
    pub(super) fn run(self, config: &Arc<Config>, tasks: &TaskTracker) -> Running {
        let Self { app, writer, demo, .. } = self;
        let (monitor, watching) = (app.monitor.clone(), app.clone());
        let mut threads = vec![thread("monitor", move || monitor.run())];
        threads.push(thread("bots", move || watching.auth.watch()));
        if let (Some(writer), Some(store)) = (writer, app.store.clone()) {
            let config = config.clone();
            threads.push(thread("store", move || writer.run()));
            threads.push(thread("tend", move || store.tend(&config.data)));
        }
        if let Some(demo) = demo {
            tasks.spawn(demo.run(app.common.shutdown.clone()));
        }
        Running { app, threads }
    }
}

impl Running {
    /// Takes nothing more in, and has what is known stored before anything else is tried.
    pub(super) async fn settle(&self) {
        self.app.monitor.stop();
        until(|| self.threads[0].is_finished()).await;
        if let Some(store) = self.app.store.clone() {
            tokio::task::spawn_blocking(move || store.flush(FLUSH)).await.expect("waiting does not panic");
        }
    }
}

/// Lets its threads end.
pub(super) fn end(app: &App) {
    app.monitor.stop();
    if let Some(store) = &app.store {
        store.stop();
    }
    app.auth.stop();
}
