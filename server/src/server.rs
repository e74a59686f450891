//! The running server: what it owns, how it starts and how it stops. Only this module spawns.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Authenticator, OriginPolicy, SecretsError};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{self, App};
use crate::limits::{self, Capacity, Descriptors, Viewers};
use crate::listener::{self, Door};
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::store::{Fault, Opened, Settings, Store, Writer};

/// How long the admin address has to finish what it is at, when everything else has ended.
const ADMIN_DRAIN: Duration = Duration::from_millis(500);
/// How long a stop waits for the disk, before it goes on to the streams and again at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// The server cannot start. One line that says why.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Which.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The store must not be touched.
    #[error("cannot use {folder}")]
    Store {
        /// The data folder.
        folder: PathBuf,
        /// Why.
        source: Fault,
    },
}

/// Hands a running server new keys and secrets. Clones reach the same server.
#[derive(Debug, Clone)]
pub struct Reloader {
    app: Arc<App>,
    started: Arc<Config>,
}

/// What came of new settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// What was made in the data folder, in words.
    pub made: Vec<String>,
    /// The settings that have changed and count from the next start on.
    pub waiting: Vec<String>,
}

impl Reloader {
    /// Takes the keys, secrets and bot tokens of these settings, and nothing else of them. Files
    /// are read again. Open streams go on.
    ///
    /// # Errors
    ///
    /// When the data folder or a file of keys cannot be used; then the old ones stay in force.
    pub fn reload(&self, config: &Config) -> Result<Reloaded, SecretsError> {
        let waiting = config.waiting_for_restart(&self.started);
        let made = self.app.auth.reload(&Config { data: self.started.data.clone(), ..config.clone() })?;
        Ok(Reloaded { made, waiting })
    }

    /// Does something with it that may have to wait for a disk, and holds up nothing meanwhile.
    ///
    /// # Panics
    ///
    /// When that panics.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let reloader = self.clone();
        tokio::task::spawn_blocking(move || work(&reloader)).await.expect("a reload does not panic")
    }
}

/// A server that has its addresses and its secrets, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    public: (TcpListener, Door),
    admin: Option<(std::net::TcpListener, Door)>,
    writer: Writer,
    made: Vec<String>,
    config: Arc<Config>,
}

impl Server {
    /// Takes the addresses, then opens the data folder: if an address is taken, nothing is touched.
    ///
    /// # Errors
    ///
    /// When an address or the data folder cannot be had.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let source = |source| StartError::Listen { addr: config.listen, source };
        let listener = TcpListener::from_std(listen(config.listen)?).map_err(source)?;
        let admin_listener = config.admin_listen.map(listen).transpose()?;
        let (auth, made) = Authenticator::open(&config)?;
        let (capacity, lowered) = Capacity::of(&config.limits, raise_descriptor_limit());
        lowered.iter().for_each(|lowered| tracing::warn!("{lowered}"));

        let (clock, metrics) = (Clock::start(), Metrics::default());
        metrics.started(clock.now().wall);
        let reserve = if admin_listener.is_some() { limits::RESERVE } else { 0 };
        let descriptors = Arc::new(Descriptors::keep(reserve, metrics.clone()));
        let retention = Duration::from_secs(u64::from(config.retention_days) * 24 * 60 * 60);
        let settings = Settings { folder: config.data.clone(), retention, clock, metrics: metrics.clone() };
        let Opened { store, writer, boot, stored } =
            Store::open(settings).map_err(|source| StartError::Store { folder: config.data.clone(), source })?;
        let monitor = Monitor::new(clock, boot, stored, store.clone(), metrics.clone());
        let app = Arc::new(App {
            monitor: Arc::new(monitor),
            store,
            auth,
            origins: OriginPolicy::new(&config),
            viewers: Arc::new(Viewers::new(capacity.viewers, &config.limits, metrics.clone())),
            descriptors: descriptors.clone(),
            limits: config.limits.clone(),
            metrics: metrics.clone(),
            shutdown: CancellationToken::new(),
            drain: Duration::from_secs(u64::from(config.drain_seconds)),
        });
        let door = |router| Door::admin(router, &config.limits, metrics.clone(), descriptors.clone());
        let public = (listener, door(http::public(app.clone(), &config)).public(capacity.connections));
        let admin = admin_listener.map(|listener| (listener, door(http::admin(app.clone()))));
        Ok(Self { app, public, admin, writer, made, config: Arc::new(config) })
    }

    /// The address that it listens on, with the port that it got.
    ///
    /// # Panics
    ///
    /// When the kernel does not know the address of a socket that it bound.
    pub fn addr(&self) -> SocketAddr {
        self.public.0.local_addr().expect("a bound socket has an address")
    }

    /// The admin address, if there is one.
    ///
    /// # Panics
    ///
    /// As [`addr`](Self::addr).
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(listener, _)| listener.local_addr().expect("a bound socket has an address"))
    }

    /// What was made in the data folder, in words.
    pub fn made(&self) -> &[String] {
        &self.made
    }

    /// A way to hand it new keys while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader { app: self.app.clone(), started: self.config.clone() }
    }

    /// Serves until `shutdown` is ready, then ends all streams, spread over the drain, and returns.
    ///
    /// # Panics
    ///
    /// When the thread of the monitor cannot be started.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, public: (listener, door), admin, writer, config, .. } = self;
        let monitor = app.monitor.clone();
        let monitor = thread("monitor", move || monitor.run());
        let writer = thread("store", move || writer.run());
        let store = app.store.clone();
        let tender = thread("tend", move || store.tend(&config.data));
        let watching = app.clone();
        let bots = thread("bots", move || watching.auth.watch());
        let tasks = TaskTracker::new();
        let ended = CancellationToken::new();
        let admin_ended = ended.clone();
        let admin = admin.map(|(listener, door)| thread("admin", move || run_admin(listener, door, admin_ended)));
        let _end = End { app: app.clone(), ended: ended.clone() };
        tasks.spawn(listener::serve(listener, door, app.shutdown.clone(), tasks.clone()));

        shutdown.await;
        // From here on beats may not reach us any more, which is no news of the bot.
        app.monitor.stop();
        until(|| monitor.is_finished()).await;
        // What is known is safe before anything else is tried.
        let store = app.store.clone();
        tokio::task::spawn_blocking(move || store.flush(FLUSH)).await.expect("waiting does not panic");
        app.shutdown.cancel();
        tasks.close();
        if tokio::time::timeout(app.drain, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "some connections did not end in time and are cut");
        }
        // The admin address takes beats and answers `/readyz` until the end.
        ended.cancel();
        if let Some(admin) = &admin {
            until(|| admin.is_finished()).await;
        }
        app.monitor.stop();
        app.store.stop();
        app.auth.stop();
        let mut threads = vec![monitor, writer, tender, bots];
        threads.extend(admin);
        if tokio::time::timeout(FLUSH, until(|| threads.iter().all(JoinHandle::is_finished))).await.is_err() {
            tracing::warn!("the disk does not answer; what it has not taken by now is lost");
        }
        for thread in threads.into_iter().filter(JoinHandle::is_finished) {
            thread.join().expect("a panic in a thread of the server ends the process");
        }
    }
}

/// Ends the threads of a server that is dropped before it has come to its end.
struct End {
    app: Arc<App>,
    ended: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        self.app.monitor.stop();
        self.app.store.stop();
        self.app.auth.stop();
        self.ended.cancel();
    }
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Starts a thread of the server. A panic in it ends the process: a server that goes on without one
/// of its threads would say wrong things.
fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
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
fn run_admin(listener: std::net::TcpListener, door: Door, ended: CancellationToken) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let tasks = TaskTracker::new();
        let listener = TcpListener::from_std(listener).expect("the listener does not block");
        listener::serve(listener, door, ended, tasks.clone()).await;
        tasks.close();
        tokio::time::timeout(ADMIN_DRAIN, tasks.wait()).await.ok();
    });
}

fn listen(addr: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    listener::listen(addr).map_err(|source| StartError::Listen { addr, source })
}

/// Raises the limit of descriptors as far as it goes, because every viewer is one; returns it.
fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    limits::descriptor_limit()
}
