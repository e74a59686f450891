//! The words for what is seen: every sentence about a status that a person reads is made here.

use std::time::Duration;

use crate::wire::{Reason, Sighting, State, UnixMillis, Word, word};

/// The shape of a state, which says it without colour.
pub(super) fn shape(state: &Word<State>) -> &'static str {
    match state {
        Word::Known(State::Online) => "●",
        Word::Known(State::Reconnecting) => "◐",
        Word::Known(State::Offline) => "○",
        Word::Known(State::Maintenance) => "‖",
        Word::Known(State::Unavailable) => "◌",
        Word::Known(State::Unknown) | Word::Other(_) => "·",
    }
}

/// State and reason as a sentence. A word of a newer server is shown as it came.
pub(super) fn sentence(status: &Sighting, now: UnixMillis) -> String {
    let state = match &status.state {
        Word::Known(State::Maintenance) => return restarting(status.expected_back, now),
        Word::Known(State::Online | State::Reconnecting) => "Online".to_owned(),
        Word::Known(State::Offline) => "Offline".to_owned(),
        Word::Known(State::Unavailable) => "Unavailable".to_owned(),
        Word::Known(State::Unknown) => "Unknown".to_owned(),
        Word::Other(state) => state.replace('_', " "),
    };
    let why = match &status.reason {
        None => return state,
        Some(Word::Known(Reason::NeverSeen)) => return "Not connected yet".into(),
        Some(Word::Known(Reason::DiscordOutage)) => return "Discord outage".into(),
        Some(Word::Known(Reason::HeartbeatTimeout)) => "stopped responding".to_owned(),
        Some(Word::Known(Reason::Goodbye)) => "shut down by its operator".to_owned(),
        Some(Word::Known(Reason::Fatal)) => "Discord refused the login".to_owned(),
        Some(Word::Known(Reason::Starting)) => "starting, not connected to Discord yet".to_owned(),
        Some(Word::Known(Reason::Resuming)) => "reconnecting to Discord".to_owned(),
        Some(Word::Known(Reason::GatewayDisconnected)) => "running, but cut off from Discord".to_owned(),
        Some(Word::Known(Reason::ServerRestarted)) => "guildpulse was restarted".to_owned(),
        Some(Word::Known(Reason::ServerSuspended)) => "guildpulse was asleep".to_owned(),
        Some(Word::Known(Reason::UpstreamUnreachable)) => "guildpulse cannot reach its backend".to_owned(),
        Some(Word::Other(reason)) => reason.replace('_', " "),
    };
    format!("{state} · {why}")
}

fn restarting(expected_back: Option<UnixMillis>, now: UnixMillis) -> String {
    match expected_back.map(|back| between(now, back)) {
        None => "Restarting".into(),
        Some(Duration::ZERO) => "Restarting · back any moment".into(),
        Some(left) => format!("Restarting · back in about {}", about(left)),
    }
}

/// The word for the state, and the one for its reason, as the protocol has them.
pub(super) fn protocol(status: &Sighting) -> (String, String) {
    (word(&status.state), status.reason.as_ref().map_or_else(|| "-".into(), word))
}

/// The time from one moment to a later one; none if it is not later.
pub(super) fn between(from: UnixMillis, to: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

/// A time that is counted: exact enough to see it go on, short enough for a column.
pub(super) fn counted(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

/// A time that somebody guessed: nobody means the second.
fn about(time: Duration) -> String {
    let minutes = (time.as_secs() + 30) / 60;
    if minutes < 90 { format!("{} min", minutes.max(1)) } else { format!("{} h", (minutes + 30) / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::tests::sighting;

    #[derive(serde::Deserialize)]
    struct Said {
        state: String,
        reason: Option<String>,
        healthy: bool,
        /// Until it means to be back.
        #[serde(rename = "leftMs")]
        left_ms: Option<i64>,
        words: String,
    }

    #[test]
    fn every_state_and_reason_has_the_words_that_the_page_has_too() {
        let table: Vec<Said> = crate::wire::read_json(include_str!("../../../../protocol/words.json")).unwrap();
        assert!(table.len() > 15);
        for Said { state, reason, healthy, left_ms, words } in table {
            let status = sighting(&state, reason.as_deref().unwrap_or("null"));
            let expected_back = left_ms.map(|left| UnixMillis(status.since.0 + left));
            let status = Sighting { healthy, expected_back, ..status };
            assert_eq!(sentence(&status, status.since), words, "{state} {reason:?}");
        }
    }

    #[test]
    fn every_state_has_a_shape_of_its_own() {
        let states = ["online", "reconnecting", "offline", "maintenance", "unavailable", "unknown", "fast_asleep"];
        let shapes = states.map(|state| shape(&sighting(state, "null").state));
        assert_eq!(shapes, ["●", "◐", "○", "‖", "◌", "·", "·"]);
    }

    #[test]
    fn times_are_short_and_never_negative() {
        let spans = [0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(|seconds| counted(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "2 d 7 h"]);
        assert_eq!(between(UnixMillis(5), UnixMillis(3)), Duration::ZERO);
        assert_eq!(between(UnixMillis(i64::MIN), UnixMillis(i64::MAX)), Duration::from_millis(i64::MAX as u64));
    }
}
