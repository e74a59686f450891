//! One open stream: its socket, what it was sent, and what it has yet to be sent.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use smallvec::SmallVec;

use super::index::GuildKey;
use super::{Permits, REFRESH};
use crate::hub::Cause;
use crate::limits::ConnectionPlace;
use crate::liveness::{Monotonic, Now};
use crate::wire::UnixMillis;
use crate::wire::sse::{Framing, GoodbyeReason};

/// How long a viewer may take nothing, before it counts as gone.
pub const STALL: Duration = Duration::from_secs(30);
/// How long a viewer has to take its goodbye and to close.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of what a viewer sends is read at once. Nothing of it means anything.
const INPUT_BYTES: usize = 64 * 1024;

/// What a viewer watches of one guild.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) guild: GuildKey,
    /// Where it stands among the members of the guild.
    pub(super) at: u32,
    /// The number of the revision that was written last.
    pub(super) seq: u64,
    /// Why the guild's status is to be sent; none if it is not, or is only repeated.
    pub(super) cause: Option<Cause>,
    /// When the status has to be repeated.
    pub(super) due: Monotonic,
}

#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) socket: TcpStream,
    pub(super) framing: Framing,
    pub(super) seats: SmallVec<[Seat; 1]>,
    /// The seats whose newest status has to be written, a bit for each.
    dirty: u128,
    /// The seat whose turn it is, so that one that changes often does not keep the others waiting.
    turn: u8,
    /// Whether it is in the queue of those that are written to.
    pub(super) queued: bool,
    /// Set while the kernel takes no more.
    blocked: Option<Box<Blocked>>,
    /// Whether the reactor is told when the kernel takes more.
    pub(super) armed: bool,
    /// When its token ends. This is on the wall: a token ends while the machine sleeps, too.
    pub(super) token: UnixMillis,
    /// When it is its turn to leave, once the server is stopping.
    pub(super) drained: Option<Monotonic>,
    /// Once its goodbye is said: until when it may take that and close.
    leaving: Option<Monotonic>,
    /// None when the stream is over and only the connection is left.
    permits: Option<Permits>,
    pub(super) _connection: Option<ConnectionPlace>,
}

#[derive(Debug)]
struct Blocked {
    /// When it took something last.
    since: Monotonic,
    /// What is left of the frame that was cut.
    rest: Vec<u8>,
}

/// How much of a frame the kernel took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Whole,
    /// Some of it; the rest is kept.
    Cut,
    Nothing,
}

/// What became of what a viewer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// All of it was read.
    Drained,
    /// There may be more.
    Left,
    /// The viewer is gone.
    Over,
}

/// What time says of a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Stays,
    /// It is gone, or counts as gone.
    Gone,
    /// The stream has to end.
    Over(GoodbyeReason),
}

impl Viewer {
    pub(super) fn new(
        socket: TcpStream,
        framing: Framing,
        token: UnixMillis,
        permits: Permits,
        connection: Option<ConnectionPlace>,
    ) -> Self {
        Self {
            socket,
            framing,
            seats: SmallVec::new(),
            dirty: 0,
            turn: 0,
            queued: false,
            blocked: None,
            armed: false,
            token,
            drained: None,
            leaving: None,
            permits: Some(permits),
            _connection: connection,
        }
    }

    /// Notes that the guild of a seat has changed to this number. Says whether the viewer has to be
    /// queued.
    pub(super) fn changed(&mut self, seat: usize, seq: u64, cause: Cause) -> bool {
        if self.seats[seat].seq >= seq {
            return false;
        }
        let known = &mut self.seats[seat].cause;
        *known = Some(known.map_or(cause, |known| known.and(cause)));
        self.repeat(seat)
    }

    /// Notes that the status of a seat has to be sent, changed or not. Says whether the viewer has to
    /// be queued.
    pub(super) fn repeat(&mut self, seat: usize) -> bool {
        if self.leaving.is_some() {
            return false;
        }
        self.dirty |= 1 << seat;
        self.blocked.is_none() && !std::mem::replace(&mut self.queued, true)
    }

    /// The next seat to write; none while the kernel takes no more.
    pub(super) fn next_dirty(&self) -> Option<usize> {
        if self.dirty == 0 || self.blocked.is_some() {
            return None;
        }
        let ahead = self.dirty.rotate_right(u32::from(self.turn)).trailing_zeros();
        Some(usize::try_from((ahead + u32::from(self.turn)) % u128::BITS).expect("it is small"))
    }

    /// Writes the status of a seat, which then has this number.
    pub(super) fn write_status(&mut self, seat: usize, seq: u64, frame: &[u8], now: Monotonic) -> io::Result<Taken> {
        let taken = self.write(frame, now)?;
        if taken != Taken::Nothing {
            self.dirty &= !(1 << seat);
            self.turn = u8::try_from((seat + 1) % 128).expect("it is small");
            let seat = &mut self.seats[seat];
            (seat.seq, seat.cause, seat.due) = (seq, None, now + REFRESH);
        }
        Ok(taken)
    }

    fn write(&mut self, bytes: &[u8], now: Monotonic) -> io::Result<Taken> {
        let taken = push(&mut self.socket, bytes)?;
        if taken == bytes.len() {
            return Ok(Taken::Whole);
        }
        let rest = if taken == 0 { Vec::new() } else { bytes[taken..].to_vec() };
        self.blocked = Some(Box::new(Blocked { since: now, rest }));
        Ok(if taken == 0 { Taken::Nothing } else { Taken::Cut })
    }

    /// Whether statuses can be written to it.
    pub(super) fn is_open(&self) -> bool {
        self.blocked.is_none() && self.leaving.is_none()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// The kernel takes more: writes what is left of a cut frame. Says whether that is all gone.
    pub(super) fn resume(&mut self, now: Monotonic) -> io::Result<bool> {
        let Some(blocked) = &mut self.blocked else { return Ok(false) };
        let taken = push(&mut self.socket, &blocked.rest)?;
        if taken < blocked.rest.len() {
            blocked.rest.drain(..taken);
            if taken > 0 {
                blocked.since = now;
            }
            return Ok(false);
        }
        self.blocked = None;
        if self.leaving.is_some() {
            self.end()?;
        }
        Ok(true)
    }

    /// The seats whose status has to be sent when the viewer can take more: those that changed, and
    /// those that were due meanwhile.
    pub(super) fn overdue(&self, now: Monotonic) -> impl Iterator<Item = usize> {
        let due = move |seat: &usize| self.dirty & (1 << seat) != 0 || self.seats[*seat].due <= now;
        (0..self.seats.len()).filter(due)
    }

    /// What this moment means for the viewer. A status that is due is its own matter.
    pub(super) fn verdict(&self, now: Now) -> Verdict {
        if let Some(until) = self.leaving {
            return if until <= now.monotonic { Verdict::Gone } else { Verdict::Stays };
        }
        if self.token <= now.wall {
            return Verdict::Over(GoodbyeReason::Expired);
        }
        if let Some(reason) = self.permits.as_ref().and_then(|permits| permits.lease.as_ref()?.over()) {
            return Verdict::Over(reason);
        }
        if self.drained.is_some_and(|at| at <= now.monotonic) {
            return Verdict::Over(GoodbyeReason::Shutdown);
        }
        match &self.blocked {
            Some(blocked) if blocked.since + STALL <= now.monotonic => Verdict::Gone,
            _ => Verdict::Stays,
        }
    }

    /// When the viewer has to be looked at next. Never later than [`REFRESH`] from now, so that
    /// whatever moves a deadline need not care, unless it moves it closer.
    pub(super) fn next(&self, now: Now) -> Monotonic {
        if let Some(until) = self.leaving {
            return until;
        }
        let left = u64::try_from(self.token.0.saturating_sub(now.wall.0)).unwrap_or(0);
        let status = match &self.blocked {
            Some(blocked) => blocked.since + STALL,
            None => self.seats.iter().map(|seat| seat.due).min().expect("a viewer has a guild"),
        };
        let token = now.monotonic + Duration::from_millis(left);
        [status, token].into_iter().chain(self.drained).fold(now.monotonic + REFRESH, Monotonic::min)
    }

    /// Says goodbye: what is left of a cut frame, these bytes, and the end. Nothing comes after it.
    pub(super) fn leave(&mut self, reason: GoodbyeReason, goodbye: &[u8], now: Monotonic) -> io::Result<()> {
        if let Some(permits) = &mut self.permits {
            permits.open.end(reason);
        }
        self.dirty = 0;
        self.leaving = Some(now + PATIENCE);
        if let Some(blocked) = &mut self.blocked {
            blocked.rest.extend_from_slice(goodbye);
            return Ok(());
        }
        match self.write(goodbye, now)? {
            Taken::Whole => self.end(),
            Taken::Cut => Ok(()),
            Taken::Nothing => {
                self.blocked.as_mut().expect("nothing was taken").rest = goodbye.to_vec();
                Ok(())
            }
        }
    }

    /// Ends the stream after its last byte. The connection stays until the viewer closes it: with input
    /// unread, closing it first would take back what the viewer has not read yet.
    fn end(&mut self) -> io::Result<()> {
        self.permits = None;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Reads and forgets what the viewer sent, up to a bound.
    pub(super) fn drain_input(&mut self) -> Input {
        let mut buffer = [0; 4096];
        for _ in 0..INPUT_BYTES / buffer.len() {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Input::Over,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Input::Drained,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Input::Over,
            }
        }
        Input::Left
    }
}

/// Writes until the kernel takes no more; returns how much it took. A frame that it takes at once is
/// one call.
fn push(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match socket.write(&bytes[taken..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => taken += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}
