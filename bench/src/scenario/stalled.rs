//! What viewers who do not read cost the others, and the server.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, ROUNDS, Shape, middle, show};
use crate::clock::Bound;
use crate::load::{Plan, Reads};
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const STALLED: u32 = 200;
const OTHERS: u32 = 1_000;
const PUBLISHES: usize = 300;
const WARM_UP: usize = 10;
/// How many more statuses are sent between two looks at what the kernel holds.
const STEP: usize = 10;
const PAUSE: Duration = Duration::from_millis(5);
/// In percent of the p99 without them. To be faster with them is no fault.
const SLOWER: Target = Target::Below(10.0);
const MEMORY: Target = Target::Below(1024.0);
const TIME: Duration = Duration::from_secs(150);

/// What one turn found: the p99 of the others in milliseconds, and memory in KiB.
#[derive(Debug)]
struct Change {
    alone: f64,
    beside: f64,
    memory: f64,
}

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let turns: Vec<_> = (0..ROUNDS).map(|_| turn(bench, &bound)).collect::<Result<_>>()?;
    let percent = middle(turns.iter().map(|turn| (turn.beside / turn.alone - 1.0) * 100.0).collect());
    let memory = middle(turns.iter().map(|turn| turn.memory).collect());
    Ok(vec![
        Row::absolute("p99 of others, 200 stalled", Unit::Percent, percent, SLOWER),
        Row::absolute("memory, 200 stalled", Unit::Kib, memory, MEMORY),
    ])
}

fn turn(bench: &Bench, bound: &Bound) -> Result<Change> {
    // Long versions fill the buffers of the kernel with few statuses; all of both are of one length.
    let versions = ["a", "b"].map(|end| "\\u0001".repeat(127) + end);
    let mut site = Site::with_versions(bench, Kind::Server, bound, versions)?;
    site.open(Shape::OneGuild.viewers(0..OTHERS))?;
    site.publish_often(WARM_UP, PAUSE)?;
    let alone = p99(&mut site)?;

    site.open(Shape::OneGuild.viewers(0..STALLED).map(|plan| Plan { reads: Reads::OnlyTheFirst, ..plan }))?;
    site.publish_often(1, PAUSE)?;
    let before = site.measured.memory()?;
    // They are stalled when the kernel takes no more for them.
    let mut held = 0;
    loop {
        site.publish_often(STEP, PAUSE)?;
        let now = unsent(site.measured.public.port())?;
        if now == held && now > 0 {
            break;
        }
        held = now;
    }
    let beside = p99(&mut site)?;
    let change = Change { alone, beside, memory: site.measured.memory()? - before };
    show(&format!("{change:.3?}"));
    Ok(change)
}

fn p99(site: &mut Site) -> Result<f64> {
    site.load.take_tally()?;
    site.publish_often(PUBLISHES, PAUSE)?;
    Ok(site.load.take_tally()?.latency.value_at_quantile(0.99) as f64 / 1e6)
}

/// How many bytes the kernel holds that were sent from this port and not yet taken.
fn unsent(port: u16) -> Result<u64> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let from = format!(":{port:04X}");
    let mut sum = 0;
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace().skip(1);
        let (local, queues) = (fields.next().context("an address")?, fields.nth(2).context("two queues")?);
        if local.ends_with(&from) {
            let queue = queues.split(':').next().context("a queue")?;
            sum += u64::from_str_radix(queue, 16)?;
        }
    }
    Ok(sum)
}
