//! The running server: what it owns, how it starts and how it stops. Only this module spawns.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
use crate::store::Store;

/// How long the server waits for its streams to end. Below the 10 s after which container
/// runtimes kill.
const DRAIN: Duration = Duration::from_secs(5);

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
}

/// A server that has its addresses and its secrets, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    public: (TcpListener, Door),
    admin: Option<(std::net::TcpListener, Door)>,
    made: Vec<String>,
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

        let metrics = Metrics::default();
        let reserve = if admin_listener.is_some() { limits::RESERVE } else { 0 };
        let descriptors = Arc::new(Descriptors::keep(reserve, metrics.clone()));
        let monitor = Monitor::new(Clock::start(), Store::in_memory(), metrics.clone());
        let app = Arc::new(App {
            monitor: Arc::new(monitor),
            auth,
            origins: OriginPolicy::new(&config),
            viewers: Arc::new(Viewers::new(capacity.viewers, &config.limits, metrics.clone())),
            descriptors: descriptors.clone(),
            limits: config.limits.clone(),
            metrics: metrics.clone(),
            shutdown: CancellationToken::new(),
            drain: DRAIN,
        });
        let door = |router| Door::admin(router, &config.limits, metrics.clone(), descriptors.clone());
        let public = (listener, door(http::public(app.clone(), &config)).public(capacity.connections));
        let admin = admin_listener.map(|listener| (listener, door(http::admin(app.clone()))));
        Ok(Self { app, public, admin, made })
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

    /// Serves until `shutdown` is ready, then ends all streams, spread over the drain, and returns.
    ///
    /// # Panics
    ///
    /// When the thread of the monitor cannot be started.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, public: (listener, door), admin, .. } = self;
        let monitor = app.monitor.clone();
        let monitor = thread("monitor", move || monitor.run());
        let tasks = TaskTracker::new();
        let stopping = app.shutdown.clone();
        let admin = admin.map(|(listener, door)| thread("admin", move || run_admin(listener, door, stopping)));
        tasks.spawn(listener::serve(listener, door, app.shutdown.clone(), tasks.clone()));

        shutdown.await;
        // From here on beats may not reach us any more, which is no news of the bot.
        app.monitor.stop();
        app.shutdown.cancel();
        tasks.close();
        if tokio::time::timeout(app.drain, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "some connections did not end in time and are cut");
        }
        for thread in [Some(monitor), admin].into_iter().flatten() {
            thread.join().expect("a panic in a thread of the server ends the process");
        }
    }
}

/// Starts a thread of the server. A panic in it ends the process: a server that goes on without one
/// of its threads would say wrong things.
fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
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
fn run_admin(listener: std::net::TcpListener, door: Door, stopping: CancellationToken) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let tasks = TaskTracker::new();
        let listener = TcpListener::from_std(listener).expect("the listener does not block");
        listener::serve(listener, door, stopping, tasks.clone()).await;
        tasks.close();
        tokio::time::timeout(DRAIN, tasks.wait()).await.ok();
    });
}

fn listen(addr: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    listener::listen(addr).map_err(|source| StartError::Listen { addr, source })
}

/// Raises the limit of descriptors as far as it goes, because every viewer is one; returns it.
fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit);
    if let Err(error) = &raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let limit = if raised.is_ok() { limit.maximum } else { before };
    // No number is no limit; the kernel has one of its own (2²⁰, as it comes).
    limit.map_or(1 << 20, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
