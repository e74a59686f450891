//! The running server: what it owns, how it starts and how it stops. Only this module spawns.

mod reload;
mod threads;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Poll;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Authenticator, OriginPolicy, SecretsError, SignInCode};
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::{Demo, Remote};
use crate::http::{self, App, Start};
use crate::hub::Hub;
use crate::limits::{self, Capacity, Descriptors, Viewers};
use crate::listener::{self, Door};
use crate::liveness::Stored;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::store::{Fault, Opened, Settings, Store, Writer};
use crate::stream::{Desk, Reactor, Reactors};

pub use reload::{Reloaded, Reloader};
use threads::{reactors, run_admin, thread, until};

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
    /// The simulated bot cannot be made.
    #[error("cannot simulate a bot")]
    Demo(#[source] io::Error),
    /// There are no descriptors left for the streams.
    #[error("cannot wait for streams")]
    Streams(#[source] io::Error),
}

/// A server that has its addresses and its secrets, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    public: (TcpListener, Door),
    streams: (Arc<Reactors>, Vec<Reactor>),
    admin: Option<(std::net::TcpListener, Door)>,
    /// None if nothing is to outlive the process.
    writer: Option<Writer>,
    demo: Option<Demo>,
    made: Vec<String>,
    config: Arc<Config>,
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

impl Server {
    /// Takes the addresses, then opens the data folder: if an address is taken, nothing is touched.
    ///
    /// # Errors
    ///
    /// When an address or the data folder cannot be had.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let listener = if config.demo { listen_there_or_anywhere(config.listen) } else { listen(config.listen) }?;
        let listener =
            TcpListener::from_std(listener).map_err(|source| StartError::Listen { addr: config.listen, source })?;
        let admin_listener = config.admin_listen.map(listen).transpose()?;
        let (capacity, lowered) = Capacity::of(&config.limits, raise_descriptor_limit());
        lowered.iter().for_each(|lowered| tracing::warn!("{lowered}"));

        let (clock, metrics) = (Clock::start(), Metrics::default());
        metrics.started(clock.now().wall);
        let reserve = if admin_listener.is_some() { limits::RESERVE } else { 0 };
        let descriptors = Arc::new(Descriptors::keep(reserve, metrics.clone()));
        let addr = listener.local_addr().expect("a bound socket has an address");
        let Kept { auth, made, disk, boot, stored, demo } = if config.demo {
            Kept::in_memory(here(addr), clock, &metrics)?
        } else {
            Kept::on_disk(&config, clock, metrics.clone())?
        };
        let (store, writer) = disk.unzip();
        let (demo, remote) = demo.unzip();
        let opened: io::Result<Vec<_>> = (0..reactors()).map(|_| Desk::open()).collect();
        let (desks, polls): (Vec<_>, Vec<_>) = opened.map_err(StartError::Streams)?.into_iter().unzip();
        let hub = Hub::new(desks.iter().map(Desk::inbox).collect());
        let monitor = Arc::new(Monitor::new(clock, boot, stored, store.clone(), hub, metrics.clone()));
        let reactor = |(poll, desk): (Poll, &Desk)| Reactor::new(poll, desk.clone(), monitor.clone(), metrics.clone());
        let threads = polls.into_iter().zip(&desks).map(reactor).collect();
        let streams = Arc::new(Reactors::new(desks));
        let app = Arc::new(App {
            monitor,
            store,
            auth,
            start: Start::of(&config),
            demo: remote,
            origins: OriginPolicy::new(&config),
            viewers: Arc::new(Viewers::new(capacity.viewers, &config.limits, metrics.clone())),
            descriptors: descriptors.clone(),
            limits: config.limits.clone(),
            metrics: metrics.clone(),
            shutdown: CancellationToken::new(),
        });
        let door = |router| Door::admin(router, &config.limits, metrics.clone(), descriptors.clone(), streams.clone());
        let public = (listener, door(http::public(app.clone(), &config)).public(capacity.connections));
        let admin = admin_listener.map(|listener| (listener, door(http::admin(app.clone()))));
        Ok(Self { app, public, streams: (streams, threads), admin, writer, demo, made, config: Arc::new(config) })
    }

    /// The address that it listens on, with the port that it got.
    ///
    /// # Panics
    ///
    /// When the kernel does not know the address of a socket that it bound.
    pub fn addr(&self) -> SocketAddr {
        self.public.0.local_addr().expect("a bound socket has an address")
    }

    /// The address at which it is found from the same machine.
    pub fn addr_here(&self) -> SocketAddr {
        here(self.addr())
    }

    /// The admin address, if there is one.
    ///
    /// # Panics
    ///
    /// As [`addr`](Self::addr).
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(listener, _)| listener.local_addr().expect("a bound socket has an address"))
    }

    /// Codes that sign browsers in, one after the other; see [`Authenticator::sign_in_codes`].
    pub fn sign_in_codes(&self, lasting: Duration) -> Option<watch::Receiver<Option<SignInCode>>> {
        self.app.auth.sign_in_codes(lasting)
    }

    /// A token that may read everything for a day, unless only others sign tokens.
    pub fn operator_token(&self) -> Option<String> {
        self.app.auth.mint_operator()
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
        let Self { app, public: (listener, door), streams: (streams, reactors), admin, writer, demo, config, .. } = self;
        let drain = Duration::from_secs(u64::from(config.drain_seconds));
        let monitor = app.monitor.clone();
        let monitor = thread("monitor", move || monitor.run());
        let watching = app.clone();
        let mut threads = vec![thread("bots", move || watching.auth.watch())];
        threads.extend(reactors.into_iter().map(|reactor| thread("streams", move || reactor.run())));
        if let (Some(writer), Some(store)) = (writer, app.store.clone()) {
            threads.push(thread("store", move || writer.run()));
            threads.push(thread("tend", move || store.tend(&config.data)));
        }
        let tasks = TaskTracker::new();
        let ended = CancellationToken::new();
        let admin_ended = ended.clone();
        let admin = admin.map(|(listener, door)| thread("admin", move || run_admin(listener, door, admin_ended)));
        let _end = End { app: app.clone(), streams: streams.clone(), ended: ended.clone() };
        tasks.spawn(listener::serve(listener, door, app.shutdown.clone(), tasks.clone()));
        if let Some(demo) = demo {
            tasks.spawn(demo.run(app.shutdown.clone()));
        }

        shutdown.await;
        // From here on beats may not reach us any more, which is no news of the bot.
        app.monitor.stop();
        until(|| monitor.is_finished()).await;
        // What is known is safe before anything else is tried.
        if let Some(store) = app.store.clone() {
            tokio::task::spawn_blocking(move || store.flush(FLUSH)).await.expect("waiting does not panic");
        }
        app.shutdown.cancel();
        streams.drain(drain);
        tasks.close();
        let over = async {
            tasks.wait().await;
            until(|| streams.streams() == 0).await;
        };
        if tokio::time::timeout(drain, over).await.is_err() {
            let connections = tasks.len() + streams.streams();
            tracing::warn!(connections, "some connections did not end in time and are cut");
        }
        // The admin address takes beats and answers `/readyz` until the end.
        ended.cancel();
        if let Some(admin) = &admin {
            until(|| admin.is_finished()).await;
        }
        end(&app, &streams);
        threads.push(monitor);
        threads.extend(admin);
        if tokio::time::timeout(FLUSH, until(|| threads.iter().all(JoinHandle::is_finished))).await.is_err() {
            tracing::warn!("the disk does not answer; what it has not taken by now is lost");
        }
        for thread in threads.into_iter().filter(JoinHandle::is_finished) {
            thread.join().expect("a panic in a thread of the server ends the process");
        }
    }
}

/// Lets all threads end but that of the admin address.
fn end(app: &App, streams: &Reactors) {
    app.monitor.stop();
    streams.close();
    if let Some(store) = &app.store {
        store.stop();
    }
    app.auth.stop();
}

/// Ends the threads of a server that is dropped before it has come to its end.
struct End {
    app: Arc<App>,
    streams: Arc<Reactors>,
    ended: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        end(&self.app, &self.streams);
        self.ended.cancel();
    }
}

fn listen(addr: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    listener::listen(addr).map_err(|source| StartError::Listen { addr, source })
}

/// Where a server that may listen on every address is found from its own machine.
fn here(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// The address, or any free port beside it if somebody has it: several demos may run at once.
fn listen_there_or_anywhere(addr: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    match listen(addr) {
        Err(StartError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
            tracing::info!("{addr} is taken, perhaps by another demo; another port is chosen");
            listen(SocketAddr::new(addr.ip(), 0))
        }
        listening => listening,
    }
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
