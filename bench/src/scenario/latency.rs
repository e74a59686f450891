//! How soon viewers know.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, ROUNDS, Shape, middle, show};
use crate::clock::Bound;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const VIEWERS: u32 = 100;
const PUBLISHES: usize = 500;
const WARM_UP: usize = 50;
/// Everybody sleeps again before the next one.
const PAUSE: Duration = Duration::from_millis(10);
const TARGET: Target = Target::Below(5.0);
const TIME: Duration = Duration::from_secs(90);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (mut floors, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(turn(bench, Kind::Floor, &bound)?);
        servers.push(turn(bench, Kind::Server, &bound)?);
    }
    let row = Row::absolute("beat to bytes p99, 100 viewers", Unit::Millis, middle(servers), TARGET);
    Ok(vec![row.beside(middle(floors))])
}

fn turn(bench: &Bench, kind: Kind, bound: &Bound) -> Result<f64> {
    let mut site = Site::start(bench, kind, bound)?;
    site.open(Shape::OneGuild.viewers(0..VIEWERS))?;
    site.publish_often(WARM_UP, PAUSE)?;
    site.load.take_tally()?;
    site.publish_often(PUBLISHES, PAUSE)?;
    let latency = site.load.take_tally()?.latency;
    let [middle, p99, p999] = [0.5, 0.99, 0.999].map(|part| latency.value_at_quantile(part) as f64 / 1e6);
    show(&format!("{kind:?} p50 {middle:.3} ms, p99 {p99:.3} ms, p99.9 {p999:.3} ms"));
    Ok(p99)
}
