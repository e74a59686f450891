//! Single claims of section 3, each for all values of what it leaves open. Every scene is also
//! compared with the oracle as it is played.

use guildpulse::liveness::Transition;
use guildpulse::wire::State;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::properties::cases;
use crate::rig::{RESIDUES, guild};
use crate::scene::{Scene, seconds};

/// Rule 1 in whole microseconds: receipt + 2 · interval + clamp(interval / 4, 500 ms, 5 s).
fn freshness(interval: u64) -> f64 {
    let micros = interval * 1000;
    (2 * micros + (micros / 4).clamp(500_000, 5_000_000)) as f64 / 1e6
}

fn intervals() -> impl Strategy<Value = u64> {
    prop_oneof![select(vec![1000_u64, 1999, 2000, 2001, 19_999, 20_000, 20_001, 60_000]), 1000..=60_000_u64]
}

/// What a process says that was ready and is not.
fn cut_off() -> impl Strategy<Value = &'static str> {
    select(vec!["resuming", "reconnecting", "disconnected", "identifying", "starting", "ready@90001", "ready@1e9"])
}

/// Every guild of every residue is in this state.
fn everybody(scene: &mut Scene, state: State) {
    for residue in 0..RESIDUES {
        let facts = scene.rig.machine.facts(guild(residue, 1));
        assert_eq!(facts.state, state, "guild {residue} at {:?}: {facts:?}", scene.rig.time());
    }
}

fn health(scene: &Scene) -> Vec<bool> {
    (0..RESIDUES).map(|residue| scene.rig.machine.facts(guild(residue, 1)).healthy).collect()
}

proptest! {
    #![proptest_config(cases(0.2))]

    #[test]
    fn a_silent_crash_shows_exactly_at_the_deadline(interval in intervals(), start in 0..5000_u32, lateness in 0..200_u32) {
        let start = f64::from(start) / 1000.0;
        let deadline = start + freshness(interval);
        let mut scene = Scene::new();
        scene.at(start).beat(&format!("w1 0/1 i{interval}")).is("online").anyhow();
        prop_assert_eq!(scene.rig.next_deadline(), Some(seconds(deadline)));
        scene.at(deadline - 1e-6).tick().is("online").silently();
        scene.at(deadline).is("online").linger(lateness).is("online").silently();
        scene.tick().is(&format!("offline heartbeat_timeout beat={start}"));
    }

    #[test]
    fn a_beat_received_at_the_deadline_wins_over_the_timer(interval in intervals()) {
        let mut scene = Scene::new();
        scene.beat(&format!("w1 0/1 i{interval}")).anyhow();
        scene.at(freshness(interval)).beat(&format!("w1 0/1 i{interval}")).tick().is("online").silently();
    }

    #[test]
    fn one_lost_beat_of_three_is_no_event(
        interval in intervals(), phase in 0..3_usize, jitter in vec(0..500_u64, 12), shards in 1..4_u32,
    ) {
        let all: Vec<String> = (0..shards).map(|id| format!("{id}/{shards}")).collect();
        let beat = format!("w1:a {} v1 i{interval}", all.join(" "));
        let mut scene = Scene::new();
        scene.beat(&beat).anyhow();
        for (round, jitter) in jitter.into_iter().enumerate().skip(1) {
            scene.at((interval * round as u64 + jitter) as f64 / 1000.0).tick();
            if round % 3 != phase {
                scene.beat(&beat);
            }
        }
        scene.silently();
    }

    #[test]
    fn an_overlapping_deploy_is_no_event_but_the_versions(
        names in select(vec![("w1", "w2"), ("_:a", "_:b"), ("w1:a", "_"), ("_", "w1:a")]),
        ready_after in 0..8_u64, old_stays in 0..8_u64, says_goodbye in any::<bool>(), old_is_first in any::<bool>(),
    ) {
        let (old, new) = names;
        let mut scene = Scene::new();
        scene.beat(&format!("{old} 0/2 1/2 v1")).anyhow();
        let mut versions = 0;
        for round in 1..24_u64 {
            scene.at(round as f64 * 2.0).tick();
            let gone = ready_after + old_stays + 1;
            let old_beats = round <= gone;
            let state = match round {
                _ if round > ready_after => "ready",
                1 => "starting",
                _ => "identifying",
            };
            let beats = [
                old_beats.then(|| format!("{old} 0/2 1/2 v1")),
                Some(format!("{new} 0/2={state} 1/2={state} v2")),
            ];
            let mut beats: Vec<String> = beats.into_iter().flatten().collect();
            if !old_is_first {
                beats.reverse();
            }
            for beat in beats {
                scene.beat(&beat);
            }
            if round == gone && says_goodbye && old != "_" {
                scene.goodbye_for(2, old);
            }
            everybody(&mut scene, State::Online);
            let told = scene.take();
            versions += usize::from(!told.is_empty());
            prop_assert!(told.is_empty() || (told.len() == 2 && round == ready_after + 1), "{:?} in round {}", told, round);
        }
        prop_assert_eq!(versions, 1);
        scene.is("online v2").of(1, "online v2");
    }

    #[test]
    fn a_resume_inside_15_s_never_changes_healthy(
        says in vec(cut_off(), 1..8), interval in 1000..4000_u64, quickly in any::<bool>(),
    ) {
        let mut scene = Scene::new();
        scene.beat(&format!("w1 0/1 i{interval}"));
        let mut time = 0.1;
        for (round, said) in says.iter().enumerate() {
            time = (0.1 + (round as u64 * interval) as f64 / 1000.0).min(15.1);
            scene.at(time).beat(&format!("w1 0/1={said} i{interval}")).is("reconnecting resuming healthy since=0.1");
        }
        let end = if quickly { time } else { (time + freshness(interval)).min(15.1) };
        scene.at(end).is("reconnecting resuming healthy").beat("w1 0/1").is("online healthy").tick().is("online");
    }

    #[test]
    fn nobody_stays_healthy_without_discord_for_more_than_15_s(says in vec(cut_off(), 9), first in 0..4000_u32) {
        let first = f64::from(first) / 1000.0;
        let mut scene = Scene::new();
        scene.beat("w1 0/1");
        for (round, said) in says.iter().enumerate() {
            scene.at(first + 2.0 * round as f64).beat(&format!("w1 0/1={said}"));
            scene.is(if round < 8 { "reconnecting resuming" } else { "offline gateway_disconnected" });
        }
        scene.is(&format!("offline gateway_disconnected since={}", first + 15.0));
    }

    #[test]
    fn duplicated_and_reordered_beats_change_nothing(
        said in vec((cut_off(), any::<bool>(), 0..7_u64, 0..4000_u64), 1..12), again in vec(any::<Index>(), 24),
    ) {
        let mut scene = Scene::new();
        let mut sent: Vec<String> = Vec::new();
        let (mut time, mut again) = (0, again.into_iter());
        for (seq, (cut_off, ready, version, pause)) in said.iter().enumerate() {
            let state = if *ready { "ready" } else { cut_off };
            let beat = format!("w1:a#{} 0/2={state} 1/2 v{version} -{version}", 2 * seq + 1);
            scene.at(time as f64 / 1000.0).tick().beat_for(2, &beat).anyhow();
            sent.push(beat);
            for index in again.by_ref().take(2) {
                let before = scene.everything();
                scene.beat_for(0, &sent[index.index(sent.len())]).silently();
                prop_assert_eq!(before, scene.everything());
            }
            time += pause;
        }
    }

    #[test]
    fn a_late_beat_cannot_revive_what_said_goodbye(
        beats in 1..5_u64, late in vec((0..9_u64, 0..60_000_u64), 1..8), named in select(vec!["w1:a", "_:a"]),
        names_session in any::<bool>(), back in select(vec!["", " back=5000", " back=700000"]),
    ) {
        let mut scene = Scene::new();
        for seq in 0..beats {
            scene.at(seq as f64).beat(&format!("{named}#{} 0/2 1/2", 2 * seq));
        }
        let name = if names_session { named } else { named.trim_end_matches(":a") };
        scene.goodbye_for(2, &format!("{name}{back}"));
        let mut time = (beats * 1000) as f64 / 1000.0;
        for (seq, pause) in late {
            time += pause as f64 / 1000.0;
            scene.at(time).tick().anyhow().beat_for(0, &format!("{named}#{seq} 0/2 1/2")).silently();
            prop_assert!(!health(&scene).contains(&true));
        }
    }

    #[test]
    fn a_late_loop_moves_a_deadline_by_the_lateness_and_one_interval(
        interval in intervals(), late in 251..90_000_u64, woke in any::<Index>(),
    ) {
        let beat = format!("w1 0/1 i{interval}");
        let deadline = freshness(interval);
        // The loop meant to wake before the deadline or at it.
        let meant = woke.index(1001) as f64 / 1000.0 * deadline;
        let moved = deadline + (late + interval) as f64 / 1000.0;
        let mut scene = Scene::new();
        scene.beat(&beat).anyhow().at(meant).late(late).is("online").tick().is("online");
        scene.at((moved - 1e-6).max(meant + late as f64 / 1000.0)).tick().is("online").silently();
        scene.at(moved).is("online").tick().is("offline heartbeat_timeout");
    }

    #[test]
    fn a_restart_or_a_sleep_calls_nobody_offline_before_the_beats_could_have_come(
        interval in intervals(), since in any::<Index>(), away in 0..9_000_000_u64, restart in any::<bool>(), part in 0..1000_u32,
        state in select(vec!["ready", "resuming"]),
    ) {
        let mut scene = Scene::new();
        let window = freshness(interval);
        // Whole milliseconds, so that the sums below are exact to the microsecond.
        let meant = (since.index(1000) as f64 * window.min(15.0)).floor() / 1000.0;
        scene.beat(&format!("w1 0/1 i{interval}")).beat(&format!("w1 0/1={state} i{interval}")).at(meant).anyhow();
        let away = away as f64 / 1000.0;
        let (start, reason) = if restart { (meant + away, "server_restarted") } else { (meant, "server_suspended") };
        if restart { scene.restart(away) } else { scene.sleep(away) };
        let unknown = format!("unknown {reason} healthy since=0");
        scene.is(&unknown).at(start + window * f64::from(part) / 1000.0).tick().is(&unknown);
        scene.at(start + window - 1e-6).tick().is(&unknown).at(start + window).is(&unknown);
        scene.tick().is("offline heartbeat_timeout unhealthy");
    }

    #[test]
    fn a_maintenance_ends_when_it_was_announced_to(back in 1..200_000_u64, said in 0..5000_u64) {
        let mut scene = Scene::new();
        let said = said as f64 / 1000.0;
        let end = said + back as f64 / 1000.0;
        scene.beat("w1 0/1 i2000").at(said).tick().beat("w1 0/1").goodbye(&format!("w1 back={back}"));
        scene.is(&format!("maintenance goodbye since={said} back={end}")).anyhow();
        scene.at((end - 1e-6).max(said)).tick().is("maintenance goodbye").silently();
        scene.at(end).tick().is(&format!("offline goodbye since={end}"));
        prop_assert_eq!(scene.take(), [Transition::Shard(crate::lingo::shard("0/1"))]);
    }
}
