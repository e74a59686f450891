//! Processes that are measured: started on a core of their own, read from `/proc`, and ended.

pub(crate) mod peers;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::clock::Bound;
use crate::token::{BOT_TOKEN, SECRET};

/// How long to wait between two looks at a process that starts or ends.
const LOOK: Duration = Duration::from_millis(10);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The floor, which is this program.
    Floor,
    /// The server.
    Server,
    /// The server as a gateway, with another behind it.
    Gateway,
    /// A peer: nginx with nchan.
    Nchan,
    /// A peer: a server in Node, written by hand.
    Node,
}

impl Kind {
    /// What it is called in the table of peers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Server => "guildpulse",
            Self::Gateway => "guildpulse as a gateway",
            Self::Nchan => "nchan",
            Self::Node => "Node",
        }
    }
}

/// A core for what is measured and one for the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    measured: usize,
    load: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    pub(crate) fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        match (cores.next(), cores.next()) {
            (Some(measured), Some(load)) => Ok(Self { measured, load }),
            _ => bail!("two cores are needed: one for the server and one for the load"),
        }
    }

    /// Moves this thread, and what it starts from now on, to the core of the load.
    pub(crate) fn take_load(self) -> Result<()> {
        stay_on(self.load)
    }

    /// Starts a process on the core of the load, where nobody measures it.
    fn start_beside(command: &mut Command) -> Result<Child> {
        command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
    }

    /// Starts a process on the core of what is measured. It inherits the core of who starts it, so
    /// that not one of its instructions runs elsewhere.
    fn start(self, command: &mut Command) -> Result<Child> {
        stay_on(self.measured)?;
        let child = command.spawn();
        self.take_load()?;
        child.with_context(|| format!("cannot start {}", command.get_program().display()))
    }
}

fn stay_on(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Allows as many descriptors as the hard limit does.
pub(crate) fn raise_descriptor_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// A process that is measured. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Measured {
    child: Child,
    /// Where streams are opened.
    pub(crate) public: SocketAddr,
    /// Where beats go.
    pub(crate) admin: SocketAddr,
    _folder: TempDir,
    /// What is behind it, and takes the beats.
    backend: Option<Box<Measured>>,
}

impl Measured {
    /// Starts it and waits until it listens.
    pub(crate) fn start(kind: Kind, server: &Path, cores: Cores, bound: &Bound) -> Result<Self> {
        Self::start_by(kind, server, bound, |command| cores.start(command))
    }

    fn start_by(
        kind: Kind,
        server: &Path,
        bound: &Bound,
        start: impl FnOnce(&mut Command) -> Result<Child>,
    ) -> Result<Self> {
        let backend = match kind {
            Kind::Gateway => Some(Box::new(Self::start_by(Kind::Server, server, bound, Cores::start_beside)?)),
            Kind::Floor | Kind::Server | Kind::Nchan | Kind::Node => None,
        };
        let folder = TempDir::with_prefix("guildpulse-bench-")?;
        let log = folder.path().join("log");
        let mut silent = None;
        let mut command = match kind {
            Kind::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("floor");
                command
            }
            Kind::Server => {
                let mut command = Command::new(server);
                command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
                command.args(["--log-format", "json", "--data"]).arg(folder.path().join("data"));
                command.env("GUILDPULSE_JWT_SECRET", SECRET).env("GUILDPULSE_BOT_TOKEN", BOT_TOKEN);
                command
            }
            Kind::Gateway => {
                let mut command = Command::new(server);
                command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
                let behind = backend.as_ref().context("a gateway has a backend")?.public;
                command.arg("--upstream").arg(format!("http://{behind}"));
                command
            }
            Kind::Nchan => {
                let (command, addresses) = peers::nchan(folder.path())?;
                silent = Some(addresses);
                command
            }
            Kind::Node => peers::node(folder.path())?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let unset = SocketAddr::from(([127, 0, 0, 1], 0));
        // From here on it is ended whatever goes wrong.
        let child = start(&mut command)?;
        let mut measured = Self { child, public: unset, admin: unset, _folder: folder, backend };
        loop {
            bound.check()?;
            let said = fs::read_to_string(&log)?;
            // Who does not say that it listens can be asked.
            let listening = match silent {
                Some(all) => all.iter().all(|address| TcpStream::connect(address).is_ok()).then_some(all.into()),
                None => addresses(&said),
            };
            if let Some((public, admin)) = listening {
                let behind = measured.backend.as_ref().map(|backend| backend.admin);
                (measured.public, measured.admin) = (public, behind.unwrap_or(admin));
                return Ok(measured);
            }
            ensure!(measured.child.try_wait()?.is_none(), "it ended at once: {said}");
            std::thread::sleep(LOOK);
        }
    }

    /// The user and system time that all of its threads have taken.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(&format!("/proc/{}/stat", self.child.id()))
    }

    /// Its proportional set size in KiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("smaps_rollup without Pss")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // By its id, and not by its name: others may run a server, too. It takes no leave, because
        // nothing of it is needed any more.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            self.child.wait().ok();
        }
    }
}

/// The user and system time in a line of `stat` (proc_pid_stat(5)).
fn cpu(stat: &str) -> Result<Duration> {
    let text = fs::read_to_string(stat)?;
    // The name of the process comes before this, and may hold anything.
    let (_, fields) = text.rsplit_once(')').context("a line of stat has a name")?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// The two addresses, once the log names them.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = log.lines().find(|line| line.contains("listening on http://") && line.ends_with('}'))?;
    let behind = |text: &str| line.split_once(text)?.1.split('"').next()?.parse().ok();
    Some((behind("listening on http://")?, behind("\"admin\":\"")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_found_once_the_line_is_whole() {
        let log =
            "{\"message\":\"made a secret\"}\n{\"message\":\"listening on http://127.0.0.1:1\",\"admin\":\"127.0.0.1:2\"}\n";
        let (public, admin) = addresses(log).unwrap();
        assert_eq!((public.port(), admin.port()), (1, 2));
        assert_eq!(addresses(&log[..log.len() - 3]), None);
        assert_eq!(addresses(""), None);
    }

    #[test]
    fn the_time_of_a_process_can_be_read() {
        assert!(cpu("/proc/self/stat").unwrap() < Duration::from_secs(3600));
    }
}
