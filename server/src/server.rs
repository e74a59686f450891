//! The running server: what it owns, how it starts and how it stops. Only this module spawns.

mod gateway;
mod own;
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

use crate::auth::{OriginPolicy, SecretsError, SignInCode};
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::UpstreamError;
use crate::http::{self, App, Common, Proxy};
use crate::hub::Hub;
use crate::limits::{self, Capacity, Descriptors, Viewers};
use crate::listener::{self, Door};
use crate::metrics::Metrics;
use crate::store::Fault;
use crate::stream::{Desk, Reactor, Reactors, Source};

use own::Own;
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
    /// The backend cannot be used.
    #[error("cannot use the backend")]
    Upstream(#[from] UpstreamError),
    /// There are no descriptors left for the streams.
    #[error("cannot wait for streams")]
    Streams(#[source] io::Error),
}

/// A server that has its addresses and its secrets, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    part: Part,
    public: (TcpListener, Door),
    streams: (Arc<Reactors>, Vec<Reactor>),
    admin: Option<(std::net::TcpListener, Door)>,
    config: Arc<Config>,
    /// Ends what the server does for its viewers.
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Where its statuses come from.
#[derive(Debug)]
enum Part {
    /// From beats.
    Own(Box<Own>),
    /// From a backend.
    Gateway(Arc<Proxy>),
}

/// What every server begins with.
struct Base<'a> {
    config: &'a Config,
    clock: Clock,
    metrics: Metrics,
    descriptors: Arc<Descriptors>,
    viewers: Arc<Viewers>,
    shutdown: CancellationToken,
}

impl Base<'_> {
    fn common(&self, source: Source) -> Common {
        Common {
            source,
            origins: OriginPolicy::new(self.config),
            viewers: self.viewers.clone(),
            descriptors: self.descriptors.clone(),
            limits: self.config.limits.clone(),
            metrics: self.metrics.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

impl Server {
    /// Takes the addresses, then opens the data folder: if an address is taken, nothing is touched.
    ///
    /// # Errors
    ///
    /// When an address, the data folder or the way to the backend cannot be had.
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
        let opened: io::Result<Vec<_>> = (0..reactors()).map(|_| Desk::open()).collect();
        let (desks, polls): (Vec<_>, Vec<_>) = opened.map_err(StartError::Streams)?.into_iter().unzip();
        let hub = Hub::new(desks.iter().map(Desk::inbox).collect());
        let viewers = Arc::new(Viewers::new(capacity.viewers, &config.limits, metrics.clone()));
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let base = Base {
            config: &config,
            clock,
            metrics: metrics.clone(),
            descriptors: descriptors.clone(),
            viewers,
            shutdown: shutdown.clone(),
        };
        let addr = here(listener.local_addr().expect("a bound socket has an address"));
        let (part, source, public, admin) = match &config.upstream.upstream {
            None => {
                let own = Own::open(&base, addr, hub)?;
                let (public, admin) = (http::public(own.app.clone(), &config), http::admin(own.app.clone()));
                let source = own.app.common.source.clone();
                (Part::Own(Box::new(own)), source, public, admin)
            }
            Some(backend) => {
                let proxy = Arc::new(gateway::open(&base, backend, hub, tasks.clone())?);
                let (public, admin) = (http::public_gateway(proxy.clone(), &config), http::admin_gateway(proxy.clone()));
                let source = proxy.common.source.clone();
                (Part::Gateway(proxy), source, public, admin)
            }
        };
        let reactor = |(poll, desk): (Poll, &Desk)| Reactor::new(poll, desk.clone(), source.clone(), metrics.clone());
        let threads = polls.into_iter().zip(&desks).map(reactor).collect();
        let streams = Arc::new(Reactors::new(desks));
        let door = |router| Door::admin(router, &config.limits, metrics.clone(), descriptors.clone(), streams.clone());
        let public = (listener, door(public).public(capacity.connections));
        let admin = admin_listener.map(|listener| (listener, door(admin)));
        Ok(Self { part, public, streams: (streams, threads), admin, config: Arc::new(config), shutdown, tasks })
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

    /// Codes that sign browsers in, one after the other; see [`crate::auth::Authenticator::sign_in_codes`].
    pub fn sign_in_codes(&self, lasting: Duration) -> Option<watch::Receiver<Option<SignInCode>>> {
        self.own()?.app.auth.sign_in_codes(lasting)
    }

    /// A token that may read everything for a day, unless only others sign tokens.
    pub fn operator_token(&self) -> Option<String> {
        self.own()?.app.auth.mint_operator()
    }

    /// What was made in the data folder, in words.
    pub fn made(&self) -> &[String] {
        self.own().map_or(&[], |own| &own.made)
    }

    /// A way to hand it new keys while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader { app: self.own().map(|own| own.app.clone()), started: self.config.clone() }
    }

    fn own(&self) -> Option<&Own> {
        match &self.part {
            Part::Own(own) => Some(own),
            Part::Gateway(_) => None,
        }
    }

    /// Serves until `shutdown` is ready, then ends all streams, spread over the drain, and returns.
    ///
    /// # Panics
    ///
    /// When the thread of the monitor cannot be started.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { part, public: (listener, door), streams: (streams, reactors), admin, config, shutdown, tasks } = self;
        let drain = Duration::from_secs(u64::from(config.drain_seconds));
        let mut threads: Vec<_> = reactors.into_iter().map(|reactor| thread("streams", move || reactor.run())).collect();
        let running = match part {
            Part::Own(own) => Some(own.run(&config, &tasks)),
            Part::Gateway(proxy) => {
                tasks.spawn(proxy.gateway.clone().tend());
                None
            }
        };
        let ended = CancellationToken::new();
        let admin_ended = ended.clone();
        let admin = admin.map(|(listener, door)| thread("admin", move || run_admin(listener, door, admin_ended)));
        let app = running.as_ref().map(|running| running.app.clone());
        let end = End { app, streams: streams.clone(), ended, shutdown: shutdown.clone() };
        tasks.spawn(listener::serve(listener, door, shutdown.clone(), tasks.clone()));

        stop.await;
        // From here on beats may not reach us any more, which is no news of the bot.
        if let Some(running) = &running {
            running.settle().await;
        }
        shutdown.cancel();
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
        end.ended.cancel();
        if let Some(admin) = &admin {
            until(|| admin.is_finished()).await;
        }
        drop(end);
        threads.extend(running.into_iter().flat_map(|running| running.threads));
        threads.extend(admin);
        if tokio::time::timeout(FLUSH, until(|| threads.iter().all(JoinHandle::is_finished))).await.is_err() {
            tracing::warn!("the disk does not answer; what it has not taken by now is lost");
        }
        for thread in threads.into_iter().filter(JoinHandle::is_finished) {
            thread.join().expect("a panic in a thread of the server ends the process");
        }
    }
}

/// Ends the threads of a server, also of one that is dropped before it has come to its end.
struct End {
    app: Option<Arc<App>>,
    streams: Arc<Reactors>,
    ended: CancellationToken,
    shutdown: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(app) = &self.app {
            own::end(app);
        }
        self.streams.close();
        self.ended.cancel();
        self.shutdown.cancel();
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
