//! What a delivery costs, as a multiple of the floor's.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Bench, Shape, middle, show};
use crate::clock::Bound;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const VIEWERS: u32 = 10_000;
/// Deliveries in a round are this times the viewers: at 10 µs each, 3 s of processor time, which
/// the kernel tells in steps of 10 ms.
const PUBLISHES: usize = 30;
/// What is not measured: buffers and caches take their size. After so many, and until the end, the
/// number of the transition has two digits, whether it began with 0 or 1.
const WARM_UP: usize = 12;
/// A transition does not follow on the heels of another.
const PAUSE: Duration = Duration::from_millis(10);
const TARGET: Target = Target::AtMost(1.10);
const TIME: Duration = Duration::from_secs(250);
/// More than elsewhere: what is missed or met by a hundredth wants a steady middle.
const ROUNDS: usize = 5;

/// What one turn found, for a delivery.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) micros: f64,
    pub(super) bytes: f64,
}

pub(super) fn run(bench: &Bench, shape: Shape) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (mut floors, mut servers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let floor = turn(bench, Kind::Floor, shape, &bound)?;
        let server = turn(bench, Kind::Server, shape, &bound)?;
        ensure!(
            (floor.bytes - server.bytes).abs() < f64::EPSILON,
            "a delivery of the floor has {} bytes, and one of the server {}",
            floor.bytes,
            server.bytes
        );
        ratios.push(server.micros / floor.micros);
        floors.push(floor.micros);
        servers.push(server.micros);
    }
    let name = format!("CPU per delivery, {}", shape.name());
    Ok(vec![Row::ratio(name, Unit::CpuMicros, middle(servers), middle(floors), middle(ratios), TARGET)])
}

pub(super) fn turn(bench: &Bench, kind: Kind, shape: Shape, bound: &Bound) -> Result<Cost> {
    let mut site = Site::start(bench, kind, bound)?;
    site.open(shape.viewers(0..VIEWERS))?;
    site.load.read_in_gulps();
    site.publish_often(WARM_UP, PAUSE)?;
    site.load.take_tally()?;
    let before = site.measured.cpu()?;
    site.publish_often(PUBLISHES, PAUSE)?;
    let cpu = site.measured.cpu()? - before;
    let tally = site.load.take_tally()?;
    let least = u64::from(VIEWERS) * PUBLISHES as u64;
    ensure!(tally.statuses == least, "{} deliveries instead of {least}", tally.statuses);
    let deliveries = tally.statuses as f64;
    let cost = Cost { micros: cpu.as_secs_f64() * 1e6 / deliveries, bytes: tally.bytes as f64 / deliveries };
    show(&format!("{kind:?} {cost:.2?}"));
    Ok(cost)
}
