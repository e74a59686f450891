//! Claims of rules 5 and 6, about the shards of a bot together, for all values of what they leave
//! open.

use guildpulse::wire::{Reason, ShardKey, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::properties::cases;
use crate::rig::{RESIDUES, guild};
use crate::scene::Scene;

/// Counts of shards that the guilds of all residues tell apart.
fn counts() -> impl Strategy<Value = u32> {
    select(vec![1_u32, 2, 3, 4, 6, 12])
}

/// A beat for these shards of so many, each with its state.
fn beat(name: &str, count: u32, states: &[(u32, &str)]) -> String {
    let shards: Vec<String> = states.iter().map(|(id, state)| format!("{id}/{count}={state}")).collect();
    format!("{name} {}", shards.join(" "))
}

fn all(count: u32, state: &str) -> Vec<(u32, &str)> {
    (0..count).map(|id| (id, state)).collect()
}

fn health(scene: &Scene) -> Vec<bool> {
    (0..RESIDUES).map(|residue| scene.rig.machine.facts(guild(residue, 1)).healthy).collect()
}

fn reasons(scene: &Scene, count: u32, ids: impl IntoIterator<Item = u32>) -> Vec<Option<Reason>> {
    let of = |id: u32| scene.rig.machine.facts(guild(id.into(), 1));
    ids.into_iter().map(of).map(|facts| facts.reason.filter(|_| facts.shard.is_some_and(|key| key.count == count))).collect()
}

proptest! {
    #![proptest_config(cases(0.25))]

    #[test]
    fn a_reshard_with_overlap_turns_nobody_red(
        (before, after) in (counts(), counts()).prop_filter("another count", |(before, after)| before != after),
        order in vec(any::<Index>(), 12), overlap in 0..4_u32, says_goodbye in any::<bool>(), split in any::<bool>(),
    ) {
        let mut scene = Scene::new();
        let old = beat("old", before, &all(before, "ready"));
        scene.beat(&old);
        // Shard by shard the new generation starts, identifies and is ready.
        let mut states = all(after, "starting");
        let mut time = 0.0;
        let mut step = |scene: &mut Scene, states: &[(u32, &str)], old: Option<&str>| {
            time += 2.0;
            scene.at(time).tick();
            old.into_iter().for_each(|old| { scene.beat(old); });
            // Of one process, or of one for each shard.
            let each: Vec<_> = if split { states.chunks(1).collect() } else { vec![states] };
            for (part, states) in each.into_iter().enumerate() {
                scene.beat(&beat(&format!("new{part}"), after, states));
                assert!(!health(scene).contains(&false), "at {time}: {:?}", health(scene));
            }
        };
        let mut left: Vec<u32> = (0..after).collect();
        for index in order.iter().take(after as usize) {
            let id = left.remove(index.index(left.len()));
            for state in ["identifying", "ready"] {
                states[id as usize].1 = state;
                step(&mut scene, &states, Some(&old));
            }
        }
        for _ in 0..overlap {
            step(&mut scene, &states, Some(&old));
        }
        if says_goodbye {
            scene.goodbye_for(before as usize, "old");
        }
        for _ in 0..4 {
            step(&mut scene, &states, None);
        }
        let all_there = format!("online shard=1/{after}");
        if after > 1 { scene.of(1, &all_there); }
        // The old generation is forgotten, and nothing changes by it.
        let idle = beat("new0", after, &states).replace("new0", "idle") + " i60000";
        for minute in 1..12_u32 {
            scene.at(200.0 + 60.0 * f64::from(minute)).beat(&idle);
            if minute > 1 {
                scene.tick();
                prop_assert!(!health(&scene).contains(&false));
            }
        }
        prop_assert_eq!(scene.rig.machine.shards().len(), after as usize);
    }

    #[test]
    fn a_stray_process_of_one_shard_turns_nobody_green_or_red(
        count in select(vec![2_u32, 3, 4, 6, 12]),
        fates in vec(select(vec!["ready", "ready", "starting", "disconnected", "fatal", "unheard", "was ready"]), 12),
        stray in vec(select(vec!["ready", "ready", "ready", "starting", "resuming", "fatal", "silent"]), 1..10),
        was_before in any::<bool>(),
    ) {
        let mut scene = Scene::new();
        let mut states: Vec<(u32, &str)> = all(count, "ready");
        for (id, state) in &mut states {
            *state = fates[*id as usize];
        }
        states[0].1 = "ready";
        if was_before {
            scene.beat(&beat("bot", count, &all(count, "ready")));
        }
        let gone = beat("gone", count, &states.iter().filter(|(_, fate)| *fate == "was ready").map(|(id, _)| (*id, "ready")).collect::<Vec<_>>());
        if gone.contains('/') {
            scene.beat(&gone);
        }
        states.retain(|(_, state)| *state != "unheard" && *state != "was ready");
        let bot = beat("bot", count, &states);
        scene.beat_until(26.0, &bot);
        let before = health(&scene);
        let mut time = 26.0;
        for state in stray {
            time += 2.0;
            scene.at(time).tick().beat(&bot);
            prop_assert_eq!(&health(&scene), &before);
            if state != "silent" {
                scene.beat(&format!("stray 0/1={state} v13"));
            }
            prop_assert_eq!(&health(&scene), &before);
        }
        scene.beat_until(time + 8.0, &bot);
        prop_assert_eq!(&health(&scene), &before);
    }

    #[test]
    fn an_outage_is_3_shards_and_80_percent_of_the_ready_ones(
        count in select(vec![3_u32, 4, 6, 12]), lost in 1..12_u32, still in 0..12_u32, at_once in any::<bool>(),
        never_ready in 0..3_u32, state in select(vec!["resuming", "disconnected", "ready@90001", "identifying"]),
    ) {
        let lost = lost.min(count);
        let still = still.min(count - lost);
        let never = never_ready.min(count - lost - still);
        let mut states = all(lost + still, "ready");
        states.extend((lost + still..lost + still + never).map(|id| (id, "starting")));
        let mut scene = Scene::new();
        scene.beat(&beat("w1:a", count, &states));
        for id in 0..lost {
            states[id as usize].1 = state;
            if !at_once {
                scene.at(f64::from(id)).beat(&beat("w1:a", count, &states));
            }
        }
        scene.beat(&beat("w1:a", count, &states));
        let outage = lost >= 3 && 5 * lost >= 4 * (lost + still);
        let expected = if outage { Reason::DiscordOutage } else { Reason::Resuming };
        prop_assert_eq!(reasons(&scene, count, 0..lost), vec![Some(expected); lost as usize]);
        prop_assert_eq!(reasons(&scene, count, lost..lost + still), vec![None; still as usize]);
        let expected = if outage { Reason::DiscordOutage } else { Reason::GatewayDisconnected };
        scene.beat_until(45.0, &beat("w1:a", count, &states));
        prop_assert_eq!(reasons(&scene, count, 0..lost), vec![Some(expected); lost as usize]);
    }

    #[test]
    fn losses_more_than_30_s_apart_are_no_outage(apart in prop_oneof![Just(30_000_u32), Just(30_001), 1..60_000_u32]) {
        let mut scene = Scene::new();
        let apart = f64::from(apart) / 1000.0;
        let third = |state| beat("w1", 3, &[(0, "resuming"), (1, "resuming"), (2, state)]);
        scene.beat(&beat("w1", 3, &all(3, "ready"))).beat_until(apart, &third("ready")).beat(&third("resuming"));
        let last = scene.rig.machine.facts(guild(2, 1));
        let expected = if apart <= 30.0 { Reason::DiscordOutage } else { Reason::Resuming };
        prop_assert_eq!((last.state, last.reason), (State::Reconnecting, Some(expected)));
    }

    #[test]
    fn a_second_generation_counts_once_half_of_its_shards_are_ready(
        count in select(vec![2_u32, 3, 4, 6, 12]), ready in 0..12_u32, heard in 0..12_u32,
    ) {
        let ready = ready.min(count);
        let heard = heard.clamp(ready, count);
        let mut scene = Scene::new();
        let other = if count == 3 { 4 } else { 3 };
        scene.beat(&beat("old", other, &all(other, "ready")));
        let states: Vec<(u32, &str)> = (0..heard).map(|id| (id, if id < ready { "ready" } else { "starting" })).collect();
        if heard > 0 {
            scene.beat(&beat("new", count, &states));
        }
        for residue in 0..12_u32 {
            let route = scene.rig.machine.route(guild(residue.into(), 1));
            let moves = 2 * ready >= count && residue % count < ready;
            let count = if moves { count } else { other };
            prop_assert_eq!(route, Some(ShardKey { id: residue % count, count }));
        }
    }
}
