//! The loop that all open streams share.
//!
//! One thread waits for sockets, for news and for deadlines, and writes to whom it concerns. All of
//! its work is cut into slices, so that a change with ten thousand viewers does not hold up the
//! viewer that arrives or leaves meanwhile.

mod writing;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use rand::RngExt;
use slotmap::{Key, KeyData, SlotMap};

use super::arrivals::{Arrival, Desk};
use super::index::{GuildKey, Index, Member, Place, ViewerKey};
use super::look::{Sight, Source};
use super::ring::Ring;
use super::viewer::{Input, Seat, Verdict, Viewer};
use super::{Adoption, REFRESH, RETRY_MS};
use crate::hub::{Cause, NEWS, Subject};
use crate::liveness::{Monotonic, Now};
use crate::metrics::Metrics;
use crate::wire::Template;
use crate::wire::sse::{Framed, Framing, GoodbyeReason, LAST_CHUNK, StreamGoodbye, chunk};

/// How much of one kind of work is done before everything else gets its turn.
const SLICE: usize = 256;
/// How many events are taken from the kernel at once.
const EVENTS: usize = 1024;

/// All open streams of one thread.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    desk: Desk,
    source: Source,
    metrics: Metrics,
    viewers: SlotMap<ViewerKey, Viewer>,
    index: Index,
    /// Every viewer has one place in it, at the earliest of what it awaits.
    ring: Ring<ViewerKey>,
    /// Who has to be looked at because a deadline has come.
    due: VecDeque<ViewerKey>,
    /// Who can take more after it could not.
    resumed: VecDeque<ViewerKey>,
    /// Who has to be written to.
    queue: VecDeque<ViewerKey>,
    /// Room for the status that is being written.
    frame: Framed,
    draining: Option<Draining>,
}

/// The server is stopping.
#[derive(Debug, Clone, Copy)]
struct Draining {
    from: Monotonic,
    until: Monotonic,
}

/// A status that is to be sent again although nothing has changed.
#[derive(Debug, Clone, Copy)]
struct Repetition {
    viewer: ViewerKey,
    seat: usize,
}

impl Reactor {
    /// A reactor without viewers, which are handed to it over the desk.
    pub fn new(poll: Poll, desk: Desk, source: Source, metrics: Metrics) -> Self {
        let ring = Ring::new(source.clock().monotonic());
        Self {
            poll,
            desk,
            source,
            metrics,
            viewers: SlotMap::with_key(),
            index: Index::default(),
            ring,
            due: VecDeque::new(),
            resumed: VecDeque::new(),
            queue: VecDeque::new(),
            frame: Framed::default(),
            draining: None,
        }
    }

    /// Serves its viewers until the desk is closed. Blocks.
    ///
    /// # Panics
    ///
    /// When the kernel refuses to say what happens to the sockets.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.desk.is_closed() {
            self.turn(&mut events, None);
        }
    }

    /// Waits until there is something to do, at most for as long, and does one slice of each kind.
    pub(super) fn turn(&mut self, events: &mut Events, most: Option<Duration>) {
        let pause = [self.pause(), most].into_iter().flatten().min();
        if let Err(error) = self.poll.poll(events, pause) {
            assert!(error.kind() == io::ErrorKind::Interrupted, "the kernel does not tell of sockets: {error}");
            return;
        }
        let now = self.source.clock().now();
        let mut news = false;
        for event in &*events {
            match event.token() {
                NEWS => news = true,
                Token(key) => self.happened(viewer_key(key), event, now.monotonic),
            }
        }
        if news {
            self.desk.looking();
            self.drain(now);
        }
        let arrivals = self.desk.take(SLICE);
        let repetitions = self.due(now);
        if news || !arrivals.is_empty() || !repetitions.is_empty() {
            self.look(arrivals, &repetitions, now);
        }
        self.write(now.monotonic);
    }

    /// How long there is nothing to do; none if for ever.
    pub(super) fn pause(&self) -> Option<Duration> {
        let busy = !self.queue.is_empty() || !self.due.is_empty() || !self.resumed.is_empty() || self.desk.is_waiting();
        if busy {
            return Some(Duration::ZERO);
        }
        Some(self.ring.next()?.saturating_sub(self.source.clock().monotonic()))
    }

    /// Something happened to the socket of a viewer.
    fn happened(&mut self, key: ViewerKey, event: &Event, now: Monotonic) {
        // It may have been closed since the kernel said so.
        let Some(viewer) = self.viewers.get_mut(key) else { return };
        if event.is_error() || event.is_read_closed() {
            return self.close(key);
        }
        if event.is_readable() {
            match viewer.drain_input() {
                Input::Drained => {}
                // Of what is left the kernel says nothing by itself, and the end of it may lie behind.
                Input::Left => self.listen(key),
                Input::Over => return self.close(key),
            }
        }
        let Some(viewer) = self.viewers.get_mut(key) else { return };
        if event.is_writable() && viewer.is_blocked() {
            match viewer.resume(now) {
                Ok(true) => self.resumed.push_back(key),
                Ok(false) => {}
                Err(_) => self.close(key),
            }
        }
    }

    /// Begins to drain, if the server is stopping: every viewer draws its place.
    fn drain(&mut self, now: Now) {
        let Some(drain) = self.desk.draining().filter(|_| self.draining.is_none()) else { return };
        let draining = Draining { from: now.monotonic, until: now.monotonic + drain };
        self.draining = Some(draining);
        // Places are closer than what the viewers awaited, so all are set anew.
        self.ring = Ring::new(now.monotonic);
        for (key, viewer) in &mut self.viewers {
            viewer.drained = Some(draining.place());
            self.ring.set(viewer.next(now), key);
        }
    }

    /// Looks after those whose deadline has come, and after those who can take more again. Returns the
    /// statuses that have to be sent again.
    fn due(&mut self, now: Now) -> Vec<Repetition> {
        self.ring.fire(now.monotonic, &mut self.due);
        let mut repetitions = Vec::new();
        for _ in 0..SLICE.min(self.due.len()) {
            let key = self.due.pop_front().expect("there are as many");
            let Some(viewer) = self.viewers.get_mut(key) else { continue };
            match viewer.verdict(now) {
                Verdict::Gone => {
                    self.close(key);
                    continue;
                }
                Verdict::Over(reason) => self.say_goodbye(key, reason, now.monotonic),
                Verdict::Stays => self.repeat(key, now.monotonic, &mut repetitions),
            }
            if let Some(viewer) = self.viewers.get(key) {
                self.ring.set(viewer.next(now), key);
            }
        }
        for _ in 0..SLICE.min(self.resumed.len()) {
            let key = self.resumed.pop_front().expect("there are as many");
            if self.viewers.contains_key(key) {
                self.repeat(key, now.monotonic, &mut repetitions);
            }
        }
        repetitions
    }

    /// Ends a stream at once that has no right to go on.
    fn judge(&mut self, key: ViewerKey, now: Now) {
        // It may watch several guilds, and be gone by now.
        let Some(viewer) = self.viewers.get(key) else { return };
        if let Verdict::Over(reason) = viewer.verdict(now) {
            self.say_goodbye(key, reason, now.monotonic);
            if let Some(viewer) = self.viewers.get(key) {
                // The place that it has in the ring is later, and finds nobody.
                self.ring.set(viewer.next(now), key);
            }
        }
    }

    /// Notes what of a viewer has to be sent again, unless it cannot take it.
    fn repeat(&mut self, key: ViewerKey, now: Monotonic, repetitions: &mut Vec<Repetition>) {
        let viewer = &mut self.viewers[key];
        if !viewer.is_open() {
            return;
        }
        let seats: Vec<usize> = viewer.overdue(now).collect();
        for seat in seats {
            viewer.seats[seat].due = now + REFRESH;
            repetitions.push(Repetition { viewer: key, seat });
        }
    }

    /// Sees what is new, and marks whom it concerns.
    fn look(&mut self, arrivals: Vec<Arrival>, repetitions: &[Repetition], now: Now) {
        let repeated = repetitions.iter().map(|again| self.index.id(self.viewers[again.viewer].seats[again.seat].guild));
        let arriving = arrivals.iter().flat_map(|arrival| arrival.adoption.guilds.iter().map(|(guild, _)| *guild));
        let asked: HashSet<Subject> = repeated.chain(arriving).collect();
        let asked: Vec<_> = asked.into_iter().collect();
        let Sight { news, guilds, places: shared } = self.source.look(&self.desk.inbox, &self.index, &asked);

        shared.iter().for_each(|(place, template)| self.index.say(*place, template));
        let mut moved = Vec::new();
        let mut places = HashMap::new();
        for (id, place, own) in guilds {
            if let Some(guild) = self.index.find(id) {
                let elsewhere = self.index.place(guild) != place;
                if elsewhere {
                    self.index.route(guild, place, &shared[&place]);
                }
                // Where a guild is not, nobody is told of its exceptions: it may have gone there and be back.
                if elsewhere || self.index.has_own(guild) || own.is_some() {
                    moved.push(guild);
                }
                self.index.except(guild, own.clone());
            }
            places.insert(id, (place, own));
        }
        if let Some(cause) = news.routing {
            moved.iter().for_each(|guild| changed(&self.index, &mut self.viewers, &mut self.queue, *guild, cause));
        }
        for (key, cause) in &news.shards {
            for guild in self.index.guilds_at(Some(*key)) {
                changed(&self.index, &mut self.viewers, &mut self.queue, *guild, *cause);
            }
        }
        for (id, cause) in &news.guilds {
            if let Some(guild) = self.index.find(*id) {
                changed(&self.index, &mut self.viewers, &mut self.queue, guild, *cause);
            }
        }
        for Repetition { viewer, seat } in repetitions {
            if self.viewers[*viewer].repeat(*seat) {
                self.queue.push_back(*viewer);
            }
        }
        let withdrawn = news.withdrawn.iter().filter_map(|id| self.index.find(*id));
        let concerned: Vec<_> = withdrawn.flat_map(|guild| self.index.members(guild)).map(|member| member.viewer).collect();
        concerned.into_iter().for_each(|key| self.judge(key, now));
        for arrival in arrivals {
            self.adopt(arrival, now, |id| {
                let (place, own) = &places[&id];
                (*place, &shared[place], own.clone())
            });
        }
    }

    /// Takes in a stream that was opened elsewhere.
    fn adopt<'a>(&mut self, arrival: Arrival, now: Now, seen: impl Fn(Subject) -> (Place, &'a Template, Option<Template>)) {
        let Arrival { adoption, socket, connection } = arrival;
        let Adoption { guilds, framing, token, joined, permits } = adoption;
        let socket = mio::net::TcpStream::from_std(socket);
        let key = self.viewers.insert(Viewer::new(socket, framing, token, permits, connection));
        let viewer = &mut self.viewers[key];
        viewer.drained = self.draining.map(Draining::place);
        let registered = self.poll.registry().register(&mut viewer.socket, token_of(key), Interest::READABLE);
        let turns = u32::try_from(guilds.len()).expect("there are few");
        for (turn, (id, seq)) in (1..).zip(guilds) {
            let seat = viewer.seats.len();
            let member = Member { viewer: key, seat: u8::try_from(seat).expect("there are at most 100") };
            let (place, shared, own) = seen(id);
            let (guild, at) = self.index.join(id, place, shared, member);
            self.index.except(guild, own);
            // The guilds of one viewer take turns, so that they do not all fall due at once.
            viewer.seats.push(Seat { guild, at, seq, cause: None, due: joined + REFRESH * turn / turns });
            // It may have changed since it was sent.
            if viewer.changed(seat, self.index.status(guild).revision().seq, Cause::Time) {
                self.queue.push_back(key);
            }
        }
        self.ring.set(viewer.next(now), key);
        if registered.is_err() {
            self.close(key);
        }
        // Its right may have been taken back on the way.
        self.judge(key, now);
    }

    /// Lets the kernel say when a viewer that took no more can take something. Once is enough: it tells
    /// of changes only.
    fn arm(&mut self, key: ViewerKey) {
        let viewer = &mut self.viewers[key];
        if !viewer.is_blocked() || viewer.armed {
            return;
        }
        viewer.armed = true;
        self.listen(key);
    }

    /// Lets the kernel say what happens to a socket, and what is so already.
    fn listen(&mut self, key: ViewerKey) {
        let viewer = &mut self.viewers[key];
        let interest = if viewer.armed { Interest::READABLE.add(Interest::WRITABLE) } else { Interest::READABLE };
        if self.poll.registry().reregister(&mut viewer.socket, token_of(key), interest).is_err() {
            self.close(key);
        }
    }

    fn say_goodbye(&mut self, key: ViewerKey, reason: GoodbyeReason, now: Monotonic) {
        let viewer = &mut self.viewers[key];
        let spread = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        let rest = self.draining.map_or(Duration::ZERO, |draining| draining.until.saturating_sub(now));
        let goodbye = StreamGoodbye::new(reason, rest + spread).frame();
        let goodbye = match viewer.framing {
            Framing::Chunked => [&chunk(&goodbye), LAST_CHUNK].concat(),
            Framing::UntilClose => goodbye.to_vec(),
        };
        match viewer.leave(reason, &goodbye, now) {
            Ok(()) => self.arm(key),
            Err(_) => self.close(key),
        }
    }

    /// Forgets a viewer, whose socket closes; its guilds go with their last viewer. The kernel forgets a
    /// socket that is closed by itself.
    fn close(&mut self, key: ViewerKey) {
        let Some(viewer) = self.viewers.remove(key) else { return };
        for seat in &viewer.seats {
            if let Some(moved) = self.index.leave(seat.guild, seat.at) {
                self.viewers[moved.viewer].seats[usize::from(moved.seat)].at = seat.at;
            }
        }
        self.desk.left();
    }

    #[cfg(test)]
    pub(super) fn streams(&self) -> usize {
        self.viewers.len()
    }

    /// Whether nothing is left of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.queue.len() + self.due.len() + self.resumed.len();
        self.viewers.is_empty() && self.index.is_empty() && waiting == 0 && self.ring.next().is_none()
    }
}

/// Marks all viewers of a guild that were not sent its newest status yet.
fn changed(
    index: &Index,
    viewers: &mut SlotMap<ViewerKey, Viewer>,
    queue: &mut VecDeque<ViewerKey>,
    guild: GuildKey,
    cause: Cause,
) {
    let seq = index.status(guild).revision().seq;
    for Member { viewer, seat } in index.members(guild) {
        if viewers[*viewer].changed(usize::from(*seat), seq, cause) {
            queue.push_back(*viewer);
        }
    }
}

impl Draining {
    /// Draws a place in the drain; the last tenth of it is for goodbyes to get through.
    fn place(self) -> Monotonic {
        self.from + (self.until - self.from).mul_f64(rand::rng().random_range(0.0..0.9))
    }
}

fn token_of(key: ViewerKey) -> Token {
    Token(usize::try_from(key.data().as_ffi()).expect("a pointer has 64 bits"))
}

fn viewer_key(token: usize) -> ViewerKey {
    KeyData::from_ffi(u64::try_from(token).expect("a pointer has 64 bits")).into()
}
