//! The load: thousands of viewers on one thread.

mod churn;
mod plan;
pub(crate) mod pump;
mod story;
mod viewer;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll};

use crate::clock::{self, Bound};
use crate::parser::{Dialect, Revision, Status};
pub(crate) use plan::{Plan, Reads, Stage, Way};
pub(crate) use story::Story;
pub(crate) use viewer::Fault;
use viewer::Viewer;

/// A guild of shard 0, with as many digits as every later one has.
pub(crate) const FIRST_GUILD: u64 = 200_000_000_000_000_000 >> 22 << 22;
/// The distance between guilds of neighbouring shards.
pub(crate) const NEXT_GUILD: u64 = 1 << 22;
/// No loop waits longer before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// How long the load sleeps between two readings, if it reads in gulps.
const GULP: Duration = Duration::from_millis(1);

/// What arrived.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Whole statuses.
    pub(crate) statuses: u64,
    /// Bytes of everything.
    pub(crate) bytes: u64,
    /// Nanoseconds from the beat to each status that it caused.
    pub(crate) latency: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self { statuses: 0, bytes: 0, latency: Histogram::new_with_bounds(1, 120_000_000_000, 3)? })
    }
}

/// What everybody waits for.
#[derive(Debug)]
struct Wanted {
    /// The version that it has, as it stands in the JSON.
    text: Vec<u8>,
    since: Instant,
    /// How many viewers have not got it.
    missing: usize,
}

/// All viewers of a scenario.
#[derive(Debug)]
pub(crate) struct Load {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    to: SocketAddr,
    dialect: Dialect,
    /// Whether everybody has the token of the first viewer.
    is_one_person: bool,
    viewers: Vec<Viewer>,
    /// What they may be told, if that is known.
    story: Option<Arc<Story>>,
    /// How many times a viewer has got its first status.
    joins: u64,
    /// How many have left before that.
    gone: u64,
    /// Who has left by itself since this was last looked at.
    left: Vec<usize>,
    /// Whether it sleeps between two readings rather than waits for something to read.
    gulps: bool,
    tally: Tally,
    wanted: Wanted,
    bound: Bound,
}

impl Load {
    /// Nobody yet.
    pub(crate) fn new(to: SocketAddr, bound: &Bound) -> Result<Self> {
        let wanted = Wanted { text: Vec::new(), since: clock::now(), missing: 0 };
        let (poll, events, buffer) = (Poll::new()?, Events::with_capacity(1024), vec![0; 64 * 1024]);
        Ok(Self {
            poll,
            events,
            buffer,
            to,
            dialect: Dialect::Guildpulse,
            is_one_person: false,
            viewers: Vec::new(),
            story: None,
            joins: 0,
            gone: 0,
            left: Vec::new(),
            gulps: false,
            tally: Tally::new()?,
            wanted,
            bound: bound.clone(),
        })
    }

    /// Nobody yet; whoever comes is held against this story.
    pub(crate) fn hearing(story: Arc<Story>, to: SocketAddr, bound: &Bound) -> Result<Self> {
        Ok(Self { story: Some(story), ..Self::new(to, bound)? })
    }

    /// Everybody is told in these words.
    pub(crate) fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Whoever comes from now on is the same person in another tab.
    pub(crate) fn be_one_person(&mut self) {
        self.is_one_person = true;
    }

    /// How many times a viewer has got its first status.
    pub(crate) fn joins(&self) -> u64 {
        self.joins
    }

    /// Prepares viewers, and returns which they are.
    pub(crate) fn add(&mut self, plans: impl IntoIterator<Item = Plan>) -> Result<Range<usize>> {
        let first = self.viewers.len();
        for plan in plans {
            let person = if self.is_one_person { 0 } else { self.viewers.len() };
            self.viewers.push(Viewer::new(self.viewers.len(), person, plan, self.story.as_ref())?);
        }
        Ok(first..self.viewers.len())
    }

    /// Opens viewers that are not open, at most `at_once` at a time, until each has its first
    /// status; returns how long that took.
    pub(crate) fn open(&mut self, who: Range<usize>, at_once: usize) -> Result<Duration> {
        let begin = clock::now();
        let mut next = who.start;
        let before = self.joins;
        let opened = |load: &Self| who.start + usize::try_from(load.joins - before).expect("no more than there are");
        while opened(self) < who.end {
            while next < who.end && next - opened(self) < at_once {
                self.viewers[next].connect(next, self.to, self.dialect, self.poll.registry())?;
                next += 1;
                // Answers are read while requests are still being made, as they would be by many.
                if next.is_multiple_of(64) {
                    self.turn(Duration::ZERO)?;
                }
            }
            self.turn(LOOK)?;
        }
        Ok(begin.elapsed())
    }

    /// Cuts viewers off. Their sockets are reset, as those of a machine that vanishes, and so that
    /// no port waits for a late byte.
    pub(crate) fn cut(&mut self, who: Range<usize>) {
        for viewer in &mut self.viewers[who] {
            viewer.cut();
        }
    }

    /// From now on, everybody who is open and reads waits for a status with this version.
    pub(crate) fn expect(&mut self, version: &str) {
        let mut missing = 0;
        for viewer in &mut self.viewers {
            viewer.is_due = viewer.is_open() && viewer.reads() == Reads::AtOnce;
            missing += usize::from(viewer.is_due);
        }
        self.wanted = Wanted { text: format!("\"version\":\"{version}\"").into_bytes(), since: clock::now(), missing };
    }

    /// From now on, what has arrived is read each millisecond. Who sends never has to wake us.
    pub(crate) fn read_in_gulps(&mut self) {
        self.gulps = true;
    }

    /// Waits until everybody has what was expected.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while self.wanted.missing > 0 {
            let wait = if self.gulps { Duration::ZERO } else { LOOK };
            self.turn(wait).with_context(|| format!("{} viewers did not get a status", self.wanted.missing))?;
            if self.gulps {
                std::thread::sleep(GULP);
            }
        }
        self.check_revisions()
    }

    /// Reads for so long.
    pub(crate) fn watch(&mut self, time: Duration) -> Result<()> {
        let end = clock::now() + time;
        while let Some(left) = end.checked_duration_since(clock::now()) {
            self.turn(left.min(LOOK))?;
        }
        Ok(())
    }

    /// Fails unless all viewers of a group that read are at the same revision: who is behind the
    /// others has lost a status.
    pub(crate) fn check_revisions(&self) -> Result<()> {
        let groups = self.viewers.iter().map(Viewer::group).max().map_or(0, |group| group as usize + 1);
        let mut newest = vec![Revision::default(); groups];
        for viewer in self.readers() {
            let newest = &mut newest[viewer.group() as usize];
            *newest = viewer.revision().max(*newest);
        }
        let behind = self.readers().filter(|viewer| viewer.revision() < newest[viewer.group() as usize]).count();
        ensure!(behind == 0, Fault::Behind(behind));
        Ok(())
    }

    fn readers(&self) -> impl Iterator<Item = &Viewer> {
        self.viewers.iter().filter(|viewer| viewer.is_open() && viewer.reads() == Reads::AtOnce)
    }

    /// How many transitions these viewers have seen, and whether all of them saw the bot online.
    pub(crate) fn seen(&self, who: Range<usize>) -> (Vec<u32>, bool) {
        let viewers = &self.viewers[who];
        (viewers.iter().map(Viewer::transitions).collect(), viewers.iter().all(Viewer::was_always_online))
    }

    /// What has arrived since this was last asked.
    pub(crate) fn take_tally(&mut self) -> Result<Tally> {
        Ok(std::mem::replace(&mut self.tally, Tally::new()?))
    }

    /// Waits for events and reads what they announce.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        self.bound.check()?;
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        // They are put back, so that who is read can be looked up meanwhile.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let handled = events.iter().try_for_each(|event| {
            let index = event.token().0;
            let (was_here, was_coming) = (self.viewers[index].is_here(), self.viewers[index].is_coming());
            if event.is_writable() {
                self.viewers[index].ask()?;
            }
            let joined = event.is_readable() && self.read(index)?;
            if was_here && !self.viewers[index].is_here() {
                self.left.push(index);
                self.gone += u64::from(was_coming && !joined);
            }
            Ok(())
        });
        self.events = events;
        handled
    }

    /// Says whether the viewer has got its first status.
    fn read(&mut self, index: usize) -> Result<bool> {
        let Self { viewers, buffer, tally, wanted, joins, .. } = self;
        let joined = viewers[index].read(buffer, tally, &mut |tally, is_due, status| wanted.hear(tally, is_due, status))?;
        *joins += u64::from(joined);
        Ok(joined)
    }
}

impl Wanted {
    /// A viewer has got a status.
    fn hear(&mut self, tally: &mut Tally, is_due: &mut bool, status: Status<'_>) {
        tally.statuses += 1;
        if *is_due && status.says(&self.text) {
            *is_due = false;
            self.missing -= 1;
            tally.latency.saturating_record(nanos(self.since.elapsed()));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
