//! Viewers that come and go, that stop reading and read on.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::viewer::{Fault, Viewer};
use super::{LOOK, Load, Plan};
use crate::clock;

/// Shorter than the time after which a status is repeated: that would hide that one was lost.
const PATIENCE: Duration = Duration::from_secs(10);

impl Load {
    /// Lets visitors come and go until so many have got their first status, at most `at_once` of them
    /// between their first packet and that status. Each takes the place of one who has left; these are
    /// places of viewers that are not open. Ends when all have left.
    pub(crate) fn churn(
        &mut self,
        places: Range<usize>,
        at_once: u64,
        joins: u64,
        visitors: &mut impl Iterator<Item = (usize, Plan)>,
    ) -> Result<()> {
        let (begin, end, count) = (self.joins + self.gone, self.joins + joins, places.len());
        let mut free: Vec<usize> = places.collect();
        let mut started = 0;
        self.left.clear();
        while self.joins < end || free.len() < count {
            loop {
                let coming = begin + started - self.joins - self.gone;
                if coming >= at_once || self.joins + coming >= end {
                    break;
                }
                let Some(place) = free.pop() else { break };
                let Some((number, plan)) = visitors.next() else { break };
                self.viewers[place] = Viewer::new(number, number, plan, self.story.as_ref())?;
                self.viewers[place].connect(place, self.to, self.dialect, self.poll.registry())?;
                started += 1;
            }
            self.turn(LOOK)?;
            free.append(&mut self.left);
        }
        Ok(())
    }

    /// Lets viewers who have stopped reading read on.
    pub(crate) fn resume(&mut self, who: Range<usize>) -> Result<()> {
        for index in who {
            self.viewers[index].resume();
            // What they have left unread is announced to them once, and was.
            self.read(index)?;
        }
        Ok(())
    }

    /// Waits until everybody who is open and reads has this version of the story, or a newer one.
    pub(crate) fn converge(&mut self, version: u64) -> Result<()> {
        let behind = |load: &Self| load.readers().filter(|viewer| viewer.version() < Some(version)).count();
        let end = clock::now() + PATIENCE;
        while behind(self) > 0 {
            ensure!(clock::now() < end, Fault::Behind(behind(self)));
            self.turn(LOOK)?;
        }
        Ok(())
    }
}
