//! The status as lines that are redrawn in place. Pure: from what is known to the bytes of a frame.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::board::{Board, Place};
use super::link::Link;
use super::text::{columns, cut, padded, visible};
use super::words::{between, counted, sentence, shape};
use crate::liveness::Now;
use crate::wire::{State, UnixMillis, Word, word};

/// How wide a version may be, so that what is behind it stays in sight.
const VERSION_COLUMNS: usize = 20;

/// How large the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Whether lines may be coloured and dimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Coloured,
}

/// A line and how many columns it takes up.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) columns: usize,
}

/// What stands on the screen. `now` is by the server's clock.
pub(super) fn lines(board: &Board, link: &Link, now: Now, size: Size, paint: Paint) -> Vec<Line> {
    let news = link.words(board.knows_any(), now.monotonic);
    // The cursor stands below; what scrolled out of sight could not be redrawn.
    let room = size.rows.saturating_sub(1 + usize::from(news.is_some())).max(1);
    let places = board.places();
    let shown = if places.len() <= room { places.len() } else { room - 1 };
    let (shown, rest) = places.split_at(shown);

    let rows: Vec<Row> = shown.iter().map(|place| Row::of(place, now.wall)).collect();
    let widths = Row::widths(&rows);
    let mut lines: Vec<Line> = rows.iter().map(|row| row.line(widths, size.columns, link.is_open(), paint)).collect();
    let below = (!rest.is_empty()).then(|| summary(rest));
    lines.extend(below.into_iter().chain(news).map(|text| {
        let text = cut(&text, size.columns);
        Line { columns: columns(&text), text }
    }));
    lines
}

/// The bytes that put these lines over those that were drawn before. Nothing of it lasts: whatever
/// ends the process, the terminal stays as it was.
pub(super) fn frame(before: &[Line], lines: &[Line], size: Size) -> String {
    // A terminal that became narrower has wrapped what it showed.
    let height = |line: &Line| line.columns.div_ceil(size.columns.max(1)).max(1);
    let up: usize = before.iter().map(height).sum();
    let mut out = String::from("\r");
    if up > 0 {
        write!(out, "\x1b[{up}A").expect("memory takes every write");
    }
    for line in lines {
        // Erased first: behind a full line, the cursor still stands on its last column.
        write!(out, "\x1b[2K{}\r\n", line.text).expect("memory takes every write");
    }
    out + "\x1b[J"
}

/// One guild's line in its parts.
struct Row {
    state: Word<State>,
    shape: &'static str,
    cells: [String; 6],
}

impl Row {
    fn of(place: &Place, now: UnixMillis) -> Self {
        let guild = place.guild.to_string();
        let Some(status) = &place.status else {
            let state = Word::Known(State::Unknown);
            let cells = [guild, "…".into(), String::new(), String::new(), String::new(), String::new()];
            return Self { shape: shape(&state), state, cells };
        };
        let beat = |time| format!("beat {} ago", counted(between(time, now)));
        let cells = [
            guild,
            visible(&sentence(status, now)),
            format!("for {}", counted(between(status.since, now))),
            status.last_heartbeat.map_or_else(|| "no beat yet".into(), beat),
            cut(&visible(status.version.as_deref().unwrap_or_default()), VERSION_COLUMNS),
            status.shard.map_or_else(String::new, |shard| format!("shard {}/{}", shard.id, shard.count)),
        ];
        Self { shape: shape(&status.state), state: status.state.clone(), cells }
    }

    /// How wide each column has to be.
    fn widths(rows: &[Self]) -> [usize; 6] {
        std::array::from_fn(|cell| rows.iter().map(|row| columns(&row.cells[cell])).max().unwrap_or(0))
    }

    fn line(&self, widths: [usize; 6], width: usize, is_open: bool, paint: Paint) -> Line {
        let colour = match (paint, is_open) {
            (Paint::Plain, _) => None,
            (Paint::Coloured, true) => colour(&self.state),
            (Paint::Coloured, false) => Some("2"),
        };
        let mut line = Line { text: String::new(), columns: 0 };
        let mut room = width;
        let mut push = |text: &str, colour: Option<&str>| {
            let wanted = columns(text);
            let text = cut(text, room);
            line.columns += columns(&text);
            // Behind what was cut comes nothing, even if half of a wide character is left.
            room = room.saturating_sub(wanted);
            match colour.filter(|_| !text.is_empty()) {
                Some(colour) => line.text += &format!("\x1b[{colour}m{text}\x1b[0m"),
                None => line.text += &text,
            }
        };
        // Only the state is coloured, but all of an old line is dimmed.
        let around = colour.filter(|_| !is_open);
        push(self.shape, colour);
        for (cell, (text, width)) in self.cells.iter().zip(widths).enumerate() {
            if width > 0 {
                push(if cell == 0 { " " } else { "  " }, around);
                push(&padded(text, width), if cell == 1 { colour } else { around });
            }
        }
        line
    }
}

fn colour(state: &Word<State>) -> Option<&'static str> {
    match state {
        Word::Known(State::Online) => Some("32"),
        Word::Known(State::Reconnecting | State::Unavailable) => Some("33"),
        Word::Known(State::Offline) => Some("31"),
        Word::Known(State::Maintenance) => Some("36"),
        Word::Known(State::Unknown) | Word::Other(_) => None,
    }
}

/// How those are that the terminal has no lines for.
fn summary(places: &[Place]) -> String {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for status in places.iter().filter_map(|place| place.status.as_ref()) {
        *states.entry(visible(&word(&status.state))).or_default() += 1;
    }
    let states: Vec<String> = states.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    format!("… and {} more: {}", places.len(), states.join(", "))
}

#[cfg(test)]
mod tests;
