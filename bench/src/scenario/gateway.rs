//! What a gateway costs, beside a server that gets the beats itself.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::{Bench, ROUNDS, Shape, deliver, memory, middle, show};
use crate::clock::Bound;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const TARGET: Target = Target::AtMost(1.15);
const TIME: Duration = Duration::from_secs(250);
/// Viewers who come one after the other, each with a token that nobody has seen.
const OPENS: u32 = 1_000;
/// What is not measured: the first connections, also to the backend.
const WARM_UP: u32 = 100;
const ADDED: Target = Target::Below(3.0);

/// A delivery, with all viewers in one guild.
pub(super) fn deliver(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (mut servers, mut gateways, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let server = deliver::turn(bench, Kind::Server, Shape::OneGuild, &bound)?;
        let gateway = deliver::turn(bench, Kind::Gateway, Shape::OneGuild, &bound)?;
        ratios.push(gateway.micros / server.micros);
        servers.push(server.micros);
        gateways.push(gateway.micros);
    }
    let name = "CPU per delivery through a gateway, beside a local stream";
    Ok(vec![Row::ratio(name, Unit::CpuMicros, middle(gateways), middle(servers), middle(ratios), TARGET)])
}

/// Memory, with all viewers in one guild.
pub(super) fn memory(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let server = memory::slope(bench, Kind::Server, Shape::OneGuild, &bound)?;
    let gateway = memory::slope(bench, Kind::Gateway, Shape::OneGuild, &bound)?;
    let name = "memory per viewer of a gateway, beside a local stream";
    Ok(vec![Row::ratio(name, Unit::Kib, gateway, server, gateway / server, TARGET)])
}

/// From the request to the first status, which a gateway cannot give before its backend has let the viewer in.
pub(super) fn first_byte(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let (mut servers, mut gateways, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let server = opens(bench, Kind::Server, &bound)?;
        let gateway = opens(bench, Kind::Gateway, &bound)?;
        added.push(gateway - server);
        servers.push(server);
        gateways.push(gateway);
    }
    let row = Row::absolute("time to the first status that a gateway adds, p99", Unit::Millis, middle(added), ADDED);
    Ok(vec![row.beside(middle(servers))])
}

/// The 99th percentile of single opens, in milliseconds.
fn opens(bench: &Bench, kind: Kind, bound: &Bound) -> Result<f64> {
    let mut site = Site::start(bench, kind, bound)?;
    site.open(Shape::OneGuild.viewers(0..WARM_UP))?;
    let who = site.load.add(Shape::OneGuild.viewers(WARM_UP..WARM_UP + OPENS))?;
    let mut times = Histogram::<u64>::new(3)?;
    for one in who {
        let time = site.load.open(one..one + 1, 1)?;
        times.record(u64::try_from(time.as_nanos())?)?;
    }
    let [middle, p99] = [0.5, 0.99].map(|part| times.value_at_quantile(part) as f64 / 1e6);
    show(&format!("{kind:?} p50 {middle:.3} ms, p99 {p99:.3} ms"));
    Ok(p99)
}
