//! How many authorised opens a second there may be.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{AT_ONCE, Bench, ROUNDS, Shape, middle, show};
use crate::clock::Bound;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

/// In a batch, of which there are several in each turn: one alone takes only a third of a second.
const VIEWERS: u32 = 10_000;
const BATCHES: u32 = 3;
/// What is not measured: the first connections.
const WARM_UP: u32 = 500;
/// Until those who were cut are forgotten.
const REST: Duration = Duration::from_secs(1);
const TARGET: Target = Target::AtLeast(0.8);
const TIME: Duration = Duration::from_secs(90);

/// What one turn found, in opens.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) per_cpu_second: f64,
    pub(super) bytes: f64,
}

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (mut floors, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(turn(bench, Kind::Floor, Shape::OneEach, &bound)?);
        servers.push(turn(bench, Kind::Server, Shape::OneEach, &bound)?);
    }
    for (floor, server) in floors.iter().zip(&servers) {
        let (floor, server) = (floor.bytes, server.bytes);
        ensure!(
            (floor - server).abs() < f64::EPSILON,
            "an answer of the floor has {floor} bytes, and one of the server {server}"
        );
    }
    let figures = |rate: fn(&Rate) -> f64| {
        let ratios = servers.iter().zip(&floors).map(|(server, floor)| rate(server) / rate(floor)).collect();
        let middle_of = |rates: &[Rate]| middle(rates.iter().map(rate).collect());
        (middle_of(&servers), middle_of(&floors), middle(ratios))
    };
    let (server, floor, ratio) = figures(|rate| rate.per_second);
    let row = Row::ratio("authorised opens", Unit::PerSecond, server, floor, ratio, TARGET);
    // The floor opens as fast as the load can ask, so that the first ratio flatters. This one does
    // not; the target is none of it.
    let (server, floor, ratio) = figures(|rate| rate.per_cpu_second);
    Ok(vec![row, Row::note("the same, by its own CPU", Unit::PerCpuSecond, server, floor, ratio)])
}

pub(super) fn turn(bench: &Bench, kind: Kind, shape: Shape, bound: &Bound) -> Result<Rate> {
    let mut site = Site::start(bench, kind, bound)?;
    site.open(shape.viewers(0..WARM_UP))?;
    // Tokens are minted before the clock starts.
    let who = site.load.add(shape.viewers(WARM_UP..WARM_UP + VIEWERS))?;
    site.load.take_tally()?;
    let (mut time, mut cpu) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..BATCHES {
        let before = site.measured.cpu()?;
        time += site.load.open(who.clone(), AT_ONCE)?;
        cpu += site.measured.cpu()? - before;
        site.load.cut(who.clone());
        site.load.watch(REST)?;
    }
    let opens = f64::from(VIEWERS * BATCHES);
    let bytes = site.load.take_tally()?.bytes as f64 / opens;
    let (per_second, per_cpu_second) = (opens / time.as_secs_f64(), opens / cpu.as_secs_f64());
    let rate = Rate { per_second, per_cpu_second, bytes };
    show(&format!("{kind:?} {rate:.0?}"));
    Ok(rate)
}
