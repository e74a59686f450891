//! What a beat costs.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, ROUNDS, middle, show};
use crate::load::pump::Pump;
use crate::process::Kind;
use crate::table::{Row, Target, Unit};

/// Each of them sends its next beat when it has the answer to the last.
const CONNECTIONS: u32 = 16;
/// In a round, with a shard in each and with a hundred: seconds of processor time at the target.
const SINGLE_BEATS: usize = 100_000;
const HUNDRED_BEATS: usize = 30_000;
const TIME: Duration = Duration::from_secs(120);

pub(super) fn run(bench: &Bench, shards: u32) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (beats, target) = if shards == 1 { (SINGLE_BEATS, 25_000.0) } else { (HUNDRED_BEATS, 200_000.0) };
    let measured = bench.start(Kind::Server, &bound)?;
    let mut pump = Pump::open(measured.public, CONNECTIONS, shards, &bound)?;
    // What is not measured: the first beats, which change something.
    pump.send(beats / 10)?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let before = measured.cpu()?;
        pump.send(beats)?;
        let cpu = measured.cpu()? - before;
        let rate = beats as f64 * f64::from(shards) / cpu.as_secs_f64();
        show(&format!("{rate:.0} /s·core"));
        rates.push(rate);
    }
    let name = if shards == 1 { "beats, one shard each" } else { "shards, 100 in a beat" };
    Ok(vec![Row::absolute(name, Unit::PerCpuSecond, middle(rates), Target::AtLeast(target))])
}
