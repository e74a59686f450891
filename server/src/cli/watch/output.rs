//! Where the status is shown: in place on a terminal, else as lines.

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;
use tokio::time::sleep;

use super::board::Board;
use super::lines::line;
use super::link::Link;
use super::screen::{Line, Paint, Size, frame, lines};
use crate::config::{ConfigError, terminal};
use crate::liveness::Now;
use crate::wire::{Sighting, UnixMillis};

/// What a terminal is taken for that does not say how large it is.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// How often a full pipe is looked at.
const FULL_PIPE: Duration = Duration::from_millis(50);

/// The way to show it.
#[derive(Debug)]
pub(super) enum Output {
    /// One line for each guild, redrawn in place.
    Screen { paint: Paint, drawn: Vec<Line> },
    /// A line for each transition; news of the connection go to standard error.
    Lines { told: Option<String> },
}

impl Output {
    /// What standard output is good for.
    pub(super) fn new() -> Result<Self, ConfigError> {
        let terminal = terminal()?;
        if !stdout().is_terminal() || !terminal.can_move {
            return Ok(Self::Lines { told: None });
        }
        let paint = if terminal.colours { Paint::Coloured } else { Paint::Plain };
        Ok(Self::Screen { paint, drawn: Vec::new() })
    }

    /// Tells a transition that was seen at this time. When nobody takes the lines, it waits, and with
    /// it the server's stream: there is no backlog but the pipe's own.
    pub(super) async fn transition(&self, status: &Sighting, seen: UnixMillis) -> io::Result<()> {
        let Self::Lines { .. } = self else { return Ok(()) };
        // A write into a full pipe would not let a signal through.
        while polled(PollFlags::OUT)?.is_empty() {
            sleep(FULL_PIPE).await;
        }
        write(&line(status, seen))
    }

    /// Tells how the connection is, as far as that is news.
    pub(super) fn link(&mut self, link: &Link, was_open: bool, now: Now) {
        let Self::Lines { told } = self else { return };
        let text = match link {
            // The same failure again and again is told once.
            Link::Waiting { why, .. } if told.as_ref() != Some(why) => {
                *told = Some(why.clone());
                link.words(was_open, now.monotonic)
            }
            Link::Open => told.take().map(|_| "Connected".into()),
            Link::Waiting { .. } | Link::Connecting | Link::Trying { .. } | Link::Ended => None,
        };
        if let Some(text) = text {
            // Who has closed standard error does not want to know.
            writeln!(stderr(), "guildpulse: {text}").ok();
        }
    }

    /// Brings the screen up to date; `now` is by the server's clock.
    ///
    /// # Errors
    ///
    /// Also when nobody reads the lines any more, though there is none to write.
    pub(super) fn refresh(&mut self, board: &Board, link: &Link, now: Now) -> io::Result<()> {
        let Self::Screen { paint, drawn } = self else { return read_by_somebody() };
        let size = size();
        let lines = lines(board, link, now, size, *paint);
        write(&frame(drawn, &lines, size))?;
        *drawn = lines;
        Ok(())
    }

    /// Leaves the cursor at the beginning of an empty line.
    pub(super) fn close(&self) {
        if let Self::Screen { .. } = self {
            // The terminal has echoed a Ctrl-C there. If it is gone, it needs nothing.
            write("\r\x1b[J").ok();
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn size() -> Size {
    let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(USUAL, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// Otherwise `| head -1` would keep its shell waiting until the next transition.
fn read_by_somebody() -> io::Result<()> {
    if polled(PollFlags::empty())?.contains(PollFlags::ERR) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// What of this, or of errors, is so of standard output now.
fn polled(flags: PollFlags) -> io::Result<PollFlags> {
    let out = stdout();
    let mut polled = [PollFd::new(&out, flags)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(polled[0].revents())
}
