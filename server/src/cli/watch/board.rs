//! What is known of the guilds. Pure: it turns what arrives into what is news.

use crate::wire::{GuildId, Sighting};

/// One guild that is watched.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) guild: GuildId,
    /// The newest status, whichever connection brought it.
    pub(super) status: Option<Sighting>,
    /// Whether this connection has brought one.
    fresh: bool,
}

/// The guilds, in the order in which they were named.
#[derive(Debug)]
pub(super) struct Board(Vec<Place>);

impl Board {
    /// Nothing is known of these guilds yet. One that was named twice is watched once.
    pub(super) fn new(guilds: &[GuildId]) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for &guild in guilds {
            if places.iter().all(|place| place.guild != guild) {
                places.push(Place { guild, status: None, fresh: false });
            }
        }
        Self(places)
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.0
    }

    /// Whether any status has ever arrived.
    pub(super) fn knows_any(&self) -> bool {
        self.0.iter().any(|place| place.status.is_some())
    }

    /// A new connection: whatever it says first is right, even if a lost data folder made it older.
    pub(super) fn reconnected(&mut self) {
        for place in &mut self.0 {
            place.fresh = false;
        }
    }

    /// Takes a status, unless it is older than what is known. Returns it if it is a transition.
    pub(super) fn take(&mut self, status: Sighting) -> Option<&Sighting> {
        let place = self.0.iter_mut().find(|place| place.guild == status.guild_id)?;
        let before = place.status.as_ref();
        let (old, new) = (before.map(|before| before.revision), status.revision);
        if place.fresh && old.is_some_and(|old| old.boot == new.boot && new < old) {
            return None;
        }
        let is_news = before.is_none_or(|before| status.differs_from(before));
        place.fresh = true;
        let taken = place.status.insert(status);
        is_news.then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::watch::tests::sighting;
    use crate::wire::{Revision, ShardKey, Word};

    fn id(guild: u64) -> GuildId {
        GuildId::new(guild).unwrap()
    }

    fn status(guild: u64, state: &str, boot: u64, seq: u64) -> Sighting {
        Sighting { guild_id: id(guild), revision: Revision { boot, seq }, ..sighting(state, "null") }
    }

    fn board() -> Board {
        Board::new(&[5, 6, 5].map(id))
    }

    #[test]
    fn a_transition_is_told_once_and_a_repetition_never() {
        let mut board = board();
        assert_eq!(board.places().len(), 2, "a guild that was named twice is watched once");
        assert!(board.take(status(5, "offline", 12, 9)).is_some());
        assert!(board.take(status(5, "offline", 12, 9)).is_none());
        assert!(board.take(status(6, "offline", 12, 3)).is_some(), "guilds have nothing to do with each other");
        assert!(board.take(status(7, "offline", 12, 3)).is_none(), "nobody asked for it");
        let mut fresh_beat = status(5, "offline", 12, 9);
        fresh_beat.last_heartbeat = Some(fresh_beat.since);
        assert!(board.take(fresh_beat.clone()).is_none());
        assert_eq!(board.places()[0].status.as_ref(), Some(&fresh_beat), "but it is known");
        let known = || status(5, "offline", 12, 9);
        for changed in [
            Sighting { version: Some("2".into()), ..known() },
            Sighting { shard: Some(ShardKey { id: 0, count: 1 }), ..known() },
            Sighting { expected_back: Some(known().since), ..known() },
            Sighting { reason: Some(Word::Other("new".into())), ..known() },
            Sighting { healthy: true, ..known() },
        ] {
            assert!(board.take(changed).is_some());
            assert!(board.take(known()).is_some());
        }
    }

    #[test]
    fn the_first_status_of_a_connection_is_taken_even_if_it_is_older() {
        let mut board = board();
        board.take(status(5, "online", 12, 10));
        assert!(board.take(status(5, "offline", 12, 9)).is_none());
        board.reconnected();
        assert!(board.take(status(5, "offline", 12, 9)).is_some());
        assert!(board.take(status(5, "online", 11, 99)).is_some(), "another boot: arrival decides");
    }

    proptest! {
        #[test]
        fn within_a_boot_the_greatest_revision_stays(seqs in prop::collection::vec(0_u64..1000, 1..20)) {
            let mut board = board();
            for seq in &seqs {
                board.take(status(5, "online", 12, *seq));
            }
            let seq = seqs.into_iter().max().unwrap();
            let kept = board.places()[0].status.as_ref().unwrap().revision;
            prop_assert_eq!(kept, Revision { boot: 12, seq });
        }
    }
}
