//! The one table of a run, and the exit code that follows from it.

use std::fmt;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds of processor time.
    CpuMicros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// KiB.
    Kib,
    /// Things in a second.
    PerSecond,
    /// Things in a second of processor time.
    PerCpuSecond,
    /// A share of a core, or a change, in percent.
    Percent,
    /// How many.
    Count,
}

impl Unit {
    fn show(self, number: f64) -> String {
        match self {
            Self::CpuMicros => format!("{number:.2} µs"),
            Self::Millis => format!("{number:.3} ms"),
            Self::Seconds => format!("{number:.2} s"),
            Self::Kib => format!("{number:.2} KiB"),
            Self::PerSecond => format!("{number:.0} /s"),
            Self::PerCpuSecond => format!("{number:.0} /s·core"),
            Self::Percent => format!("{number:.2} %"),
            Self::Count => format!("{number:.0}"),
        }
    }
}

/// Where a number has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// Below this, or there.
    AtMost(f64),
    /// Above this, or there.
    AtLeast(f64),
    /// Below this.
    Below(f64),
}

impl Target {
    fn is_met_by(self, number: f64) -> bool {
        // What is not a number meets nothing.
        match self {
            Self::AtMost(most) => number <= most,
            Self::AtLeast(least) => number >= least,
            Self::Below(end) => number < end,
        }
    }

    fn show(self, show: impl Fn(f64) -> String) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", show(most)),
            Self::AtLeast(least) => format!("≥ {}", show(least)),
            Self::Below(end) => format!("< {}", show(end)),
        }
    }
}

/// What a target is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    /// The figure itself.
    Figure,
    /// The figure as a multiple of the floor's.
    Ratio(f64),
    /// Nothing: the multiple is only shown, where there is one.
    Nothing(Option<f64>),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    name: String,
    unit: Unit,
    figure: f64,
    floor: Option<f64>,
    held: Held,
    target: Target,
}

impl Row {
    /// A figure that has a target of its own.
    pub(crate) fn absolute(name: impl Into<String>, unit: Unit, figure: f64, target: Target) -> Self {
        Self { name: name.into(), unit, figure, floor: None, held: Held::Figure, target }
    }

    /// A figure whose target is a multiple of the floor's. The ratio comes apart from the two,
    /// because it is the middle one of the rounds and not that of the middle figures.
    pub(crate) fn ratio(name: impl Into<String>, unit: Unit, figure: f64, floor: f64, ratio: f64, target: Target) -> Self {
        Self { name: name.into(), unit, figure, floor: Some(floor), held: Held::Ratio(ratio), target }
    }

    /// A ratio that explains another and has no target.
    pub(crate) fn note(name: impl Into<String>, unit: Unit, figure: f64, floor: f64, ratio: f64) -> Self {
        // No number is held against this.
        let target = Target::AtMost(f64::INFINITY);
        Self { name: name.into(), unit, figure, floor: Some(floor), held: Held::Nothing(Some(ratio)), target }
    }

    /// A figure that is only shown.
    pub(crate) fn figure(name: impl Into<String>, unit: Unit, figure: f64) -> Self {
        let target = Target::AtMost(f64::INFINITY);
        Self { name: name.into(), unit, figure, floor: None, held: Held::Nothing(None), target }
    }

    /// A figure with the floor's figure beside it, which changes nothing.
    pub(crate) fn beside(self, floor: f64) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// Whether the target was met.
    pub(crate) fn passes(&self) -> bool {
        match self.held {
            Held::Figure => self.target.is_met_by(self.figure),
            Held::Ratio(ratio) => self.target.is_met_by(ratio),
            Held::Nothing(_) => true,
        }
    }

    fn cells(&self) -> [String; 6] {
        let (ratio, target) = match self.held {
            Held::Figure => (self.floor.map(|floor| self.figure / floor), self.target.show(|number| self.unit.show(number))),
            Held::Ratio(ratio) => (Some(ratio), self.target.show(|number| format!("{number:.2} × floor"))),
            Held::Nothing(ratio) => (ratio, "–".into()),
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        let verdict = match self.held {
            Held::Nothing(_) => "–",
            Held::Figure | Held::Ratio(_) if self.passes() => "PASS",
            Held::Figure | Held::Ratio(_) => "MISS",
        };
        [
            self.name.clone(),
            self.unit.show(self.figure),
            or_dash(self.floor.map(|floor| self.unit.show(floor))),
            or_dash(ratio.filter(|ratio| ratio.is_finite()).map(|ratio| format!("{ratio:.2}"))),
            target,
            verdict.into(),
        ]
    }
}

/// All lines, and the scenarios that could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    failed: Vec<String>,
}

impl Table {
    /// Takes what a scenario found.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    /// Notes that a scenario could not be measured.
    pub(crate) fn fail(&mut self, scenario: &str) {
        self.failed.push(scenario.to_owned());
    }

    /// 0 if every target was met, 1 if one was missed, 2 if one could not be measured. A table
    /// without a line has measured nothing.
    pub(crate) fn exit_code(&self) -> u8 {
        if !self.failed.is_empty() || self.rows.is_empty() { 2 } else { u8::from(!self.rows.iter().all(Row::passes)) }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["scenario", "figure", "floor", "ratio", "target", "verdict"].map(String::from);
        let failed = self.failed.iter().map(|name| [name, "–", "–", "–", "–", "FAILED"].map(str::to_owned));
        let body: Vec<_> = self.rows.iter().map(Row::cells).chain(failed).collect();
        let width =
            |column: usize| body.iter().chain([&head]).map(|cells| cells[column].chars().count()).max().unwrap_or_default();
        let widths = [0, 1, 2, 3, 4, 5].map(width);
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String; 6]| {
            write!(f, "|")?;
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, " {cell:width$} |")?;
            }
            writeln!(f)
        };
        line(f, &head)?;
        line(f, &widths.map(|width| "-".repeat(width)))?;
        body.iter().try_for_each(|cells| line(f, cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: f64, target: Target) -> Row {
        Row::absolute("a", Unit::Percent, figure, target)
    }

    fn code(rows: &[Row]) -> u8 {
        Table { rows: rows.to_vec(), failed: Vec::new() }.exit_code()
    }

    #[test]
    fn one_miss_among_many_passes_gives_1() {
        let (pass, miss) = (row(1.0, Target::Below(2.0)), row(2.0, Target::Below(2.0)));
        assert_eq!(code(&[pass.clone(), pass.clone()]), 0);
        assert_eq!(code(&[pass.clone(), miss.clone(), pass.clone()]), 1);
        assert!(!Target::AtLeast(0.0).is_met_by(f64::NAN) && !Target::AtMost(0.0).is_met_by(f64::NAN));
    }

    #[test]
    fn what_could_not_be_measured_gives_2_whatever_else_was() {
        for rows in [vec![], vec![row(1.0, Target::Below(2.0))], vec![row(9.0, Target::Below(2.0))]] {
            let mut table = Table { rows, failed: Vec::new() };
            table.fail("storm");
            assert_eq!(table.exit_code(), 2);
        }
        assert_eq!(code(&[]), 2, "nothing was measured");
    }

    #[test]
    fn the_ratio_is_held_against_the_target_where_the_floor_decides() {
        let row = |ratio| Row::ratio("a", Unit::CpuMicros, 11.0, 10.0, ratio, Target::AtMost(1.1));
        assert_eq!((code(&[row(1.1)]), code(&[row(1.11)])), (0, 1));
        let note = Row::note("a", Unit::CpuMicros, 99.0, 1.0, 99.0);
        assert_eq!((code(std::slice::from_ref(&note)), code(&[note, row(1.11)])), (0, 1), "a note decides nothing");
    }

    #[test]
    fn the_table_shows_everything_that_a_verdict_rests_on() {
        let mut table = Table::default();
        table.add(vec![
            Row::ratio("deliver", Unit::CpuMicros, 21.0, 10.0, 2.1, Target::AtMost(1.1)),
            Row::absolute("idle", Unit::Percent, 1.5, Target::Below(2.0)),
        ]);
        table.fail("storm");
        let expected = "\
| scenario | figure   | floor    | ratio | target         | verdict |
| -------- | -------- | -------- | ----- | -------------- | ------- |
| deliver  | 21.00 µs | 10.00 µs | 2.10  | ≤ 1.10 × floor | MISS    |
| idle     | 1.50 %   | –        | –     | < 2.00 %       | PASS    |
| storm    | –        | –        | –     | –              | FAILED  |
";
        assert_eq!(table.to_string(), expected);
    }
}
