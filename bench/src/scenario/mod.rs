//! What is measured: one module for each kind of figure. SCENARIOS.md says why each is as it is.

mod beats;
mod deliver;
mod gateway;
mod idle;
mod latency;
mod memory;
mod opens;
mod peers;
mod site;
mod stalled;
mod storm;

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock::Bound;
use crate::load::{FIRST_GUILD, NEXT_GUILD, Plan, Reads};
use crate::process::{Cores, Kind, Measured};
use crate::table::Row;

/// How often floor and server take turns. The middle one of the ratios counts.
const ROUNDS: usize = 3;
/// How many viewers are asked for at a time where nothing else is said: fewer than the backlog, so
/// that no handshake is dropped.
const AT_ONCE: usize = 256;

pub(crate) use peers::{Measure, versions};

/// What all scenarios share.
#[derive(Debug)]
pub(crate) struct Bench {
    server: PathBuf,
    cores: Cores,
    stop: Arc<AtomicBool>,
}

impl Bench {
    /// Measures this server on these cores until the flag is set.
    pub(crate) fn new(server: PathBuf, cores: Cores, stop: Arc<AtomicBool>) -> Self {
        Self { server, cores, stop }
    }

    /// Whether somebody wants an end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A bound that ends with the program at the latest.
    pub(crate) fn bound(&self, time: Duration) -> Bound {
        Bound::new(time, self.stop.clone())
    }

    /// Starts something that is measured.
    pub(crate) fn start(&self, kind: Kind, bound: &Bound) -> Result<Measured> {
        Measured::start(kind, &self.server, self.cores, bound)
    }
}

/// How viewers are spread over guilds. All guilds are on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All look at one guild.
    OneGuild,
    /// Ten look at each guild.
    Tens,
    /// Each looks at another guild.
    OneEach,
}

impl Shape {
    fn viewers(self, numbers: std::ops::Range<u32>) -> impl Iterator<Item = Plan> {
        numbers.map(move |number| {
            let guild = match self {
                Self::OneGuild => 0,
                Self::Tens => number / 10,
                Self::OneEach => number,
            };
            Plan { guild: FIRST_GUILD + u64::from(guild) * NEXT_GUILD, group: 0, reads: Reads::AtOnce }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::OneGuild => "one guild",
            Self::Tens => "10 a guild",
            Self::OneEach => "1 a guild",
        }
    }
}

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// What a delivery costs.
    Deliver(Shape),
    /// What a viewer takes of memory.
    Memory(Shape),
    /// What an authorised open costs.
    Opens,
    /// Everybody is cut and comes back.
    Storm,
    /// Some do not read.
    Stalled,
    /// Nothing happens.
    Idle,
    /// How soon viewers know.
    Latency,
    /// What a beat costs, for one shard.
    SingleBeats,
    /// What a beat costs, for a hundred.
    HundredBeats,
    /// What a delivery costs through a gateway.
    GatewayDeliver,
    /// What a viewer of a gateway takes of memory.
    GatewayMemory,
    /// How much later the first status comes through a gateway.
    GatewayFirst,
}

impl Scenario {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 16] = [
        Self::Deliver(Shape::OneGuild),
        Self::Deliver(Shape::Tens),
        Self::Deliver(Shape::OneEach),
        Self::Memory(Shape::OneGuild),
        Self::Memory(Shape::Tens),
        Self::Memory(Shape::OneEach),
        Self::Opens,
        Self::Storm,
        Self::Stalled,
        Self::Idle,
        Self::Latency,
        Self::SingleBeats,
        Self::HundredBeats,
        Self::GatewayDeliver,
        Self::GatewayMemory,
        Self::GatewayFirst,
    ];

    /// What it is called on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deliver(Shape::OneGuild) => "deliver-1x10000",
            Self::Deliver(Shape::Tens) => "deliver-1000x10",
            Self::Deliver(Shape::OneEach) => "deliver-10000x1",
            Self::Memory(Shape::OneGuild) => "memory-one-guild",
            Self::Memory(Shape::Tens) => "memory-tens",
            Self::Memory(Shape::OneEach) => "memory-one-each",
            Self::Opens => "opens",
            Self::Storm => "storm",
            Self::Stalled => "stalled",
            Self::Idle => "idle",
            Self::Latency => "latency",
            Self::SingleBeats => "beats-1",
            Self::HundredBeats => "beats-100",
            Self::GatewayDeliver => "gateway-deliver",
            Self::GatewayMemory => "gateway-memory",
            Self::GatewayFirst => "gateway-first",
        }
    }

    /// What it measures, in a line.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Deliver(Shape::OneGuild) => "CPU per delivery: 1 guild with 10,000 viewers",
            Self::Deliver(Shape::Tens) => "CPU per delivery: 1,000 guilds with 10 viewers each",
            Self::Deliver(Shape::OneEach) => "CPU per delivery: 10,000 guilds with a viewer each",
            Self::Memory(Shape::OneGuild) => "memory per viewer: all of one guild",
            Self::Memory(Shape::Tens) => "memory per viewer: 10 of each guild",
            Self::Memory(Shape::OneEach) => "memory per viewer: a guild for each",
            Self::Opens => "authorised opens",
            Self::Storm => "10,000 viewers are cut at once and come back, while 100 shards beat",
            Self::Stalled => "200 viewers do not read: what it costs the others",
            Self::Idle => "CPU while 10,000 viewers look and nothing happens",
            Self::Latency => "from beat to bytes, with 100 viewers",
            Self::SingleBeats => "beats with one shard",
            Self::HundredBeats => "beats with 100 shards",
            Self::GatewayDeliver => "CPU per delivery through a gateway: 1 guild with 10,000 viewers",
            Self::GatewayMemory => "memory per viewer of a gateway: all of one guild",
            Self::GatewayFirst => "how much later the first status comes through a gateway",
        }
    }

    /// Those of these names, or all.
    pub(crate) fn choose(names: &[String]) -> Result<Vec<Self>> {
        let begins = |scenario: &Self, name: &String| scenario.name().starts_with(name.as_str());
        for name in names {
            if !Self::ALL.iter().any(|scenario| begins(scenario, name)) {
                bail!("there is no scenario `{name}`; `bench list` names them");
            }
        }
        let chosen = Self::ALL.into_iter().filter(|scenario| names.iter().any(|name| begins(scenario, name)));
        Ok(if names.is_empty() { Self::ALL.to_vec() } else { chosen.collect() })
    }

    /// Measures.
    pub(crate) fn run(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Self::Deliver(shape) => deliver::run(bench, shape),
            Self::Memory(shape) => memory::run(bench, shape),
            Self::Opens => opens::run(bench),
            Self::Storm => storm::run(bench),
            Self::Stalled => stalled::run(bench),
            Self::Idle => idle::run(bench),
            Self::Latency => latency::run(bench),
            Self::SingleBeats => beats::run(bench, 1),
            Self::HundredBeats => beats::run(bench, 100),
            Self::GatewayDeliver => gateway::deliver(bench),
            Self::GatewayMemory => gateway::memory(bench),
            Self::GatewayFirst => gateway::first_byte(bench),
        }
    }
}

/// Shows what a turn found, so that the spread behind a line of the table can be seen.
fn show(turn: &str) {
    // Where nobody reads standard error, the table has to do.
    writeln!(stderr(), "  {turn}").ok();
}

/// The middle one.
fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_all_that_begin_with_it_and_no_name_for_all() {
        let choose = |names: &[&str]| Scenario::choose(&names.iter().map(|name| (*name).into()).collect::<Vec<_>>());
        assert_eq!(choose(&[]).unwrap(), Scenario::ALL);
        assert_eq!(choose(&["memory"]).unwrap().len(), 3);
        assert_eq!(choose(&["idle", "opens"]).unwrap(), [Scenario::Opens, Scenario::Idle]);
        assert!(choose(&["idle", "lazy"]).is_err());
    }

    #[test]
    fn guilds_have_ids_of_one_length_so_that_all_frames_have() {
        let digits = |guild: u64| guild.to_string().len();
        assert_eq!(digits(FIRST_GUILD), digits(FIRST_GUILD + 20_000 * NEXT_GUILD));
    }

    #[test]
    fn the_page_describes_every_scenario() {
        let page = include_str!("../../SCENARIOS.md");
        for scenario in Scenario::ALL {
            assert!(page.contains(&format!("`{}`", scenario.name())), "{}", scenario.name());
        }
    }
}
