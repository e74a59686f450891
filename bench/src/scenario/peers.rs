//! The server beside its peers: other ways to do the same.
//!
//! Peers have no target, and none of them authenticates anybody.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, ROUNDS, Shape, deliver, memory, middle, opens};
use crate::clock::Bound;
use crate::process::{Kind, peers};
use crate::table::{Row, Table, Unit};

/// Who is measured beside the floor.
const ALL: [Kind; 3] = [Kind::Server, Kind::Nchan, Kind::Node];
/// All viewers look at one guild: a channel of nchan is not a part of anything, so a change of a shard
/// with many guilds would be many requests there.
const SHAPE: Shape = Shape::OneGuild;
/// For all rounds of one measure.
const TIME: Duration = Duration::from_secs(300);

/// What of them is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// What a delivery costs.
    Deliver,
    /// What a viewer takes of memory.
    Memory,
    /// What an open costs.
    Opens,
}

/// What was compared, a line for each; fails if one of them is missing.
pub(crate) fn versions(bench: &Bench) -> Result<String> {
    peers::versions(&bench.server)
}

impl Measure {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 3] = [Self::Deliver, Self::Memory, Self::Opens];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Memory => "memory",
            Self::Opens => "opens",
        }
    }

    /// Measures floor, server and peers in turns. Who cannot be measured does not keep the others from it,
    /// unless it is the floor.
    pub(crate) fn run(self, bench: &Bench, table: &mut Table) -> Result<()> {
        let bound = bench.bound(TIME);
        let mut floors = Vec::new();
        let mut found = ALL.map(|_| Ok(Vec::new()));
        for _ in 0..self.rounds() {
            let floor = self.turn(bench, Kind::Floor, &bound)?;
            for (kind, found) in ALL.into_iter().zip(&mut found) {
                if let Ok(turns) = found {
                    match self.turn(bench, kind, &bound).and_then(|turn| turn.beside(&floor, kind)) {
                        Ok(turn) => turns.push(turn),
                        Err(error) => *found = Err(error),
                    }
                }
            }
            floors.push(floor);
        }
        for (kind, found) in ALL.into_iter().zip(found) {
            match found {
                Ok(turns) => table.add(self.rows(kind, &floors, &turns)),
                Err(error) => {
                    super::show(&format!("{}, {} could not be measured: {error:#}", self.name(), kind.name()));
                    table.fail(&format!("{}, {}", self.name(), kind.name()));
                }
            }
        }
        Ok(())
    }

    /// Memory is a slope over thousands of viewers, and hardly differs from run to run.
    fn rounds(self) -> usize {
        match self {
            Self::Deliver | Self::Opens => ROUNDS,
            Self::Memory => 1,
        }
    }

    fn columns(self) -> &'static [(&'static str, Unit)] {
        match self {
            Self::Deliver => &[("CPU per delivery", Unit::CpuMicros)],
            Self::Memory => &[("memory per viewer", Unit::Kib)],
            Self::Opens => &[("opens", Unit::PerSecond), ("opens by own CPU", Unit::PerCpuSecond)],
        }
    }

    fn rows(self, kind: Kind, floors: &[Turn], turns: &[Turn]) -> Vec<Row> {
        let row = |(column, (what, unit)): (usize, &(&str, Unit))| {
            let of = |turns: &[Turn]| turns.iter().map(|turn| turn.figures[column]).collect::<Vec<_>>();
            let ratios = of(turns).iter().zip(of(floors)).map(|(figure, floor)| figure / floor).collect();
            Row::note(format!("{what}, {}", kind.name()), *unit, middle(of(turns)), middle(of(floors)), middle(ratios))
        };
        self.columns().iter().enumerate().map(row).collect()
    }

    fn turn(self, bench: &Bench, kind: Kind, bound: &Bound) -> Result<Turn> {
        let turn = match self {
            Self::Deliver => deliver::turn(bench, kind, SHAPE, bound)
                .map(|cost| Turn { figures: vec![cost.micros], bytes: Some(cost.bytes) }),
            Self::Memory => memory::slope(bench, kind, SHAPE, bound).map(|slope| Turn { figures: vec![slope], bytes: None }),
            Self::Opens => opens::turn(bench, kind, SHAPE, bound)
                .map(|rate| Turn { figures: vec![rate.per_second, rate.per_cpu_second], bytes: Some(rate.bytes) }),
        };
        turn.context(kind.name())
    }
}

/// What one turn found.
#[derive(Debug)]
struct Turn {
    /// One for each column.
    figures: Vec<f64>,
    /// Of a delivery or an answer.
    bytes: Option<f64>,
}

impl Turn {
    /// Fails if it was not about as many bytes as those of the floor, unless they are of another protocol.
    fn beside(self, floor: &Self, kind: Kind) -> Result<Self> {
        let (bytes, expected) = (self.bytes.unwrap_or_default(), floor.bytes.unwrap_or_default());
        let same = (bytes - expected).abs() < f64::EPSILON;
        ensure!(same || kind == Kind::Nchan, "{bytes} bytes, and {expected} of the floor");
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(figure: f64, bytes: f64) -> Turn {
        Turn { figures: vec![figure], bytes: Some(bytes) }
    }

    #[test]
    fn who_sends_other_bytes_than_the_floor_is_not_compared_unless_they_are_of_another_protocol() {
        let like = |kind, bytes| turn(1.0, bytes).beside(&turn(2.0, 260.0), kind).is_ok();
        assert!(like(Kind::Server, 260.0) && like(Kind::Node, 260.0));
        assert!(!like(Kind::Server, 253.0) && !like(Kind::Node, 261.0));
        assert!(like(Kind::Nchan, 253.0));
    }

    #[test]
    fn a_peer_has_the_middle_ratio_of_its_rounds_and_no_target() {
        let (floors, turns) =
            ([2.0, 4.0, 1.0].map(|floor| turn(floor, 1.0)), [6.0, 20.0, 9.0].map(|figure| turn(figure, 1.0)));
        let rows = Measure::Deliver.rows(Kind::Node, &floors, &turns);
        assert_eq!(rows, [Row::note("CPU per delivery, Node", Unit::CpuMicros, 9.0, 2.0, 5.0)]);
        assert!(rows[0].passes());
    }
}
