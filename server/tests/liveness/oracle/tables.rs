//! The rules that are tables, as tables.

use std::time::Duration;

use guildpulse::wire::{GatewayState, Reason, State};

/// Rule 4: how long guilds stay healthy while their shard regains the gateway.
pub(crate) const GRACE: Duration = Duration::from_secs(15);
/// Rule 4: an acknowledgement older than this is none; exactly this old still counts.
pub(crate) const DEAF_AFTER_MS: f64 = 90_000.0;
/// Rule 5: losses this far apart are one outage.
pub(crate) const OUTAGE_WINDOW: Duration = Duration::from_secs(30);
/// Rule 5: fewer losses than this are no outage.
pub(crate) const OUTAGE_SHARDS: usize = 3;
/// Rule 6 and the reading "Sequence": how long generations and sessions are remembered.
pub(crate) const MEMORY: Duration = Duration::from_secs(600);
/// The reading "Generations".
pub(crate) const MOST_GENERATIONS: usize = 64;
/// The reading "Restart and sleep": the interval of a deadline that belongs to no process.
pub(crate) const NOBODYS_INTERVAL: Duration = Duration::from_secs(2);

/// Rule 1: how long a beat is fresh.
pub(crate) fn freshness(interval: Duration) -> Duration {
    let slack = (interval / 4).clamp(Duration::from_millis(500), Duration::from_secs(5));
    2 * interval + slack
}

/// Rule 3: the rank of a gateway state, best first.
pub(crate) fn rank(state: GatewayState) -> usize {
    use GatewayState as G;
    let ranks: [&[G]; 5] =
        [&[G::Ready], &[G::Resuming, G::Reconnecting], &[G::Identifying, G::Starting], &[G::Disconnected], &[G::Fatal]];
    ranks.iter().position(|equals| equals.contains(&state)).expect("every state has a rank")
}

/// Rule 5: whether `lost` shards are most of those that `still` are ready and they together.
pub(crate) fn is_outage(lost: usize, still: usize) -> bool {
    lost >= OUTAGE_SHARDS && 100 * lost >= 80 * (lost + still)
}

/// What the processes of a shard are up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crew {
    /// A fresh process is ready and hears Discord.
    Ready,
    /// There are fresh processes, but none like that.
    Busy,
    /// There is no fresh process.
    Gone,
}

/// What a shard has behind it, as far as rules 3 and 4 ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// It was ready and lost that at most 15 s ago.
    Grace,
    /// It was ready and lost that longer ago.
    CutOff,
    /// It was not ready since it last fell, and a maintenance is running.
    Maintenance,
    /// It was not ready since it last fell, if it ever did.
    Fallen,
}

/// Rules 3 and 4. `lost` is why a shard without the gateway has lost it (rule 5), `fell` why one
/// without a process has none.
pub(crate) fn verdict(crew: Crew, past: Past, lost: Lost, fell: Reason) -> (State, Option<Reason>) {
    match (crew, past, lost) {
        (Crew::Ready, _, _) => (State::Online, None),
        (Crew::Busy, Past::Grace, Lost::Alone) => (State::Reconnecting, Some(Reason::Resuming)),
        (Crew::Busy, Past::Grace, Lost::WithMost) => (State::Reconnecting, Some(Reason::DiscordOutage)),
        (Crew::Busy, Past::CutOff, Lost::Alone) => (State::Offline, Some(Reason::GatewayDisconnected)),
        (Crew::Busy, Past::CutOff, Lost::WithMost) => (State::Offline, Some(Reason::DiscordOutage)),
        (Crew::Busy, Past::Maintenance, _) => (State::Maintenance, Some(Reason::Goodbye)),
        (Crew::Busy, Past::Fallen, _) => (State::Offline, Some(Reason::Starting)),
        (Crew::Gone, Past::Maintenance, _) => (State::Maintenance, Some(Reason::Goodbye)),
        (Crew::Gone, _, _) => (State::Offline, Some(fell)),
    }
}

/// Rule 5: whether a shard lost the gateway alone or together with most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// On its own.
    Alone,
    /// With at least 3 and at least 80 % of the ready shards of its generation.
    WithMost,
}
