//! What viewers cost while nothing happens.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Bench, Shape};
use crate::clock;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const VIEWERS: u32 = 10_000;
/// Four times the longest time between two statuses, so that each viewer gets four or five.
const WATCHED: Duration = Duration::from_secs(60);
/// The interval that a bot keeps by default.
const INTERVAL: Duration = Duration::from_secs(2);
/// How many statuses each viewer has to get in that time, less one for the edges.
const LEAST: u64 = 3 * VIEWERS as u64;
const TARGET: Target = Target::Below(2.0);
const TIME: Duration = Duration::from_secs(100);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let mut site = Site::start(bench, Kind::Server, &bound)?;
    site.open(Shape::OneEach.viewers(0..VIEWERS))?;
    site.load.watch(INTERVAL)?;
    site.load.take_tally()?;
    let (begin, before) = (clock::now(), site.measured.cpu()?);
    while begin.elapsed() < WATCHED {
        site.load.watch(INTERVAL)?;
        site.beat()?;
    }
    let share = (site.measured.cpu()? - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    // A server that is idle because it says nothing has not earned it.
    let tally = site.load.take_tally()?;
    ensure!(tally.statuses >= LEAST, "only {} statuses were repeated, and at least {LEAST} were due", tally.statuses);
    site.load.check_revisions()?;
    Ok(vec![Row::absolute("idle CPU, 10,000 viewers", Unit::Percent, share * 100.0, TARGET)])
}
