//! What a viewer takes of memory.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, Shape};
use crate::clock::Bound;
use crate::process::Kind;
use crate::scenario::site::Site;
use crate::table::{Row, Target, Unit};

const FEW: u32 = 1_000;
const MANY: u32 = 15_000;
/// Everybody has had a delivery, so that what comes with the first is there.
const PUBLISHES: usize = 3;
/// Until what is freed late is free.
const REST: Duration = Duration::from_secs(2);
const TARGET: Target = Target::AtMost(0.5);
const TIME: Duration = Duration::from_secs(90);

pub(super) fn run(bench: &Bench, shape: Shape) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let floor = slope(bench, Kind::Floor, shape, &bound)?;
    let server = slope(bench, Kind::Server, shape, &bound)?;
    let name = format!("memory per viewer, {}", shape.name());
    Ok(vec![Row::absolute(name, Unit::Kib, server, TARGET).beside(floor)])
}

/// How much more many take than a few, for each, in KiB.
pub(super) fn slope(bench: &Bench, kind: Kind, shape: Shape, bound: &Bound) -> Result<f64> {
    slope_of(Site::start(bench, kind, bound)?, shape)
}

/// The same, if all of them are one person with a token.
pub(super) fn slope_of_one_person(bench: &Bench, kind: Kind, shape: Shape, bound: &Bound) -> Result<f64> {
    let mut site = Site::start(bench, kind, bound)?;
    site.load.be_one_person();
    slope_of(site, shape)
}

fn slope_of(mut site: Site, shape: Shape) -> Result<f64> {
    let mut memory_with = |viewers| {
        site.open(shape.viewers(viewers))?;
        site.publish_often(PUBLISHES, Duration::ZERO)?;
        site.load.watch(REST)?;
        site.measured.memory()
    };
    let few = memory_with(0..FEW)?;
    let many = memory_with(FEW..MANY)?;
    Ok((many - few) / f64::from(MANY - FEW))
}
