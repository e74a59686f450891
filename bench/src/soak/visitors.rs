//! Who comes, and when they leave.

use crate::load::{FIRST_GUILD, NEXT_GUILD, Plan, Reads, Stage, Way};

/// Of the bot.
pub(super) const SHARDS: u32 = 16;
/// Every fourth viewer looks at one of these, so that guilds have several; everybody else is the only one.
const BUSY_GUILDS: usize = 50;
/// An answer with head and first status is shorter than this.
const ANSWER_BYTES: usize = 1_000;

/// What the viewer with this number looks at.
pub(super) fn plan(number: usize, reads: Reads) -> Plan {
    let guild = if number.is_multiple_of(4) { number / 4 % BUSY_GUILDS } else { BUSY_GUILDS + number };
    let guild = FIRST_GUILD + guild as u64 * NEXT_GUILD;
    let group = u32::try_from((guild >> 22) % u64::from(SHARDS)).expect("below the count of shards");
    Plan { guild, group, reads }
}

/// Visitors without end, from this number on.
pub(super) fn visitors(first: usize) -> impl Iterator<Item = (usize, Plan)> {
    (first..).map(|number| (number, plan(number, leaves(number))))
}

/// Of 16 visitors, 4 leave before they have anything, 2 somewhere in the answer, and 10 after up to three
/// statuses.
fn leaves(number: usize) -> Reads {
    let turn = number / 16;
    // Who closes waits for late bytes on a port of theirs, of which there are not enough for all.
    // A reset takes back what was sent and not read, so a few have to.
    let rarely = if turn.is_multiple_of(16) { Way::Close } else { Way::Reset };
    match number % 16 {
        0 => Reads::Until(Stage::Connected, Way::Reset),
        1 => Reads::Until(Stage::HalfAsked, rarely),
        2 => Reads::Until(Stage::Asked, rarely),
        3 => Reads::Until(Stage::Answered, Way::Reset),
        4 | 5 => Reads::Until(Stage::Bytes(1 + number * 7 % ANSWER_BYTES), Way::Reset),
        _ => Reads::Until(Stage::Statuses(1 + turn as u64 % 3), rarely),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn viewers_leave_in_every_stage_and_most_of_them_after_statuses() {
        let all: Vec<_> = visitors(0).take(16 * 1_000).map(|(_, plan)| plan.reads).collect();
        let count =
            |is: fn(Stage) -> bool| all.iter().filter(|reads| matches!(reads, Reads::Until(stage, _) if is(*stage))).count();
        assert_eq!(count(|stage| stage == Stage::Connected), 1_000);
        assert_eq!(count(|stage| stage == Stage::HalfAsked), 1_000);
        assert_eq!(count(|stage| stage == Stage::Asked), 1_000);
        assert_eq!(count(|stage| stage == Stage::Answered), 1_000);
        for statuses in 1..=3 {
            assert!(
                all.iter()
                    .filter(|reads| matches!(reads, Reads::Until(Stage::Statuses(end), _) if *end == statuses))
                    .count()
                    > 3_000
            );
        }
        let cuts: HashSet<_> = all
            .iter()
            .filter_map(|reads| match reads {
                Reads::Until(Stage::Bytes(end), _) => Some(*end),
                _ => None,
            })
            .collect();
        assert!(cuts.len() > ANSWER_BYTES / 10, "only {} places to cut at", cuts.len());
    }

    #[test]
    fn most_guilds_are_looked_at_by_one_viewer_and_some_by_many() {
        let guilds: Vec<_> = (0..4_000).map(|number| plan(number, Reads::AtOnce).guild).collect();
        assert_eq!(guilds.iter().collect::<HashSet<_>>().len(), 3_000 + BUSY_GUILDS);
    }
}
