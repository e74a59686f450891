//! Writing to those who are waiting for it.

use slotmap::SlotMap;
use smallvec::SmallVec;

use super::{Reactor, SLICE};
use crate::hub::Cause;
use crate::liveness::Monotonic;
use crate::stream::index::{GuildKey, Index, ViewerKey};
use crate::stream::viewer::{Taken, Viewer};
use crate::wire::{GuildId, Template};

/// How many viewers are looked up before they are written to. Each call of the kernel drives out of the
/// processor's caches what the next viewer needs; fetched together, they are waited for once.
const TOGETHER: usize = 16;

/// A status that is about to be written.
#[derive(Debug)]
struct Delivery<'a> {
    key: ViewerKey,
    seat: usize,
    guild: GuildKey,
    id: GuildId,
    status: &'a Template,
}

impl<'a> Delivery<'a> {
    /// What is to be written to a viewer that was in the queue, if it is still there and takes something.
    fn take(key: ViewerKey, viewers: &mut SlotMap<ViewerKey, Viewer>, index: &'a Index) -> Option<Self> {
        let viewer = viewers.get_mut(key)?;
        viewer.queued = false;
        let seat = viewer.next_dirty()?;
        let guild = viewer.seats[seat].guild;
        Some(Self { key, seat, guild, id: index.id(guild).guild(), status: index.status(guild) })
    }
}

impl Reactor {
    /// Writes to those who are waiting for it, one status to each in its turn.
    pub(super) fn write(&mut self, now: Monotonic) {
        let Self { viewers, index, queue, frame, metrics, source, .. } = self;
        let mut framed = None;
        let (mut delivered, mut blocked, mut gone) = (0, Vec::new(), Vec::new());
        let mut left = SLICE.min(queue.len());
        while left > 0 {
            let count = left.min(TOGETHER);
            left -= count;
            let deliveries = queue.drain(..count).filter_map(|key| Delivery::take(key, viewers, index));
            let deliveries: SmallVec<[_; TOGETHER]> = deliveries.collect();
            for Delivery { key, seat, guild, id, status } in deliveries {
                if framed.replace(guild) != Some(guild) {
                    frame.status(status, id);
                }
                let viewer = &mut viewers[key];
                let cause = viewer.seats[seat].cause;
                match viewer.write_status(seat, status.revision().seq, frame.bytes(viewer.framing), now) {
                    Ok(Taken::Nothing) => {}
                    Ok(Taken::Whole | Taken::Cut) => {
                        delivered += u64::from(cause.is_some());
                        if let Some(Cause::Received(at)) = cause {
                            metrics.delivery.took(source.clock().monotonic().saturating_sub(at));
                        }
                    }
                    Err(_) => {
                        gone.push(key);
                        continue;
                    }
                }
                if viewer.is_blocked() {
                    blocked.push(key);
                } else if viewer.next_dirty().is_some() {
                    viewer.queued = true;
                    queue.push_back(key);
                }
            }
        }
        metrics.deliveries.inc_by(delivered);
        blocked.into_iter().for_each(|key| self.arm(key));
        gone.into_iter().for_each(|key| self.close(key));
    }
}
