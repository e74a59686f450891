//! The readings of `docs/decisions/0002-readings-of-the-liveness-rules.md`, by example.

use crate::scene::Scene;

#[test]
fn processes_a_new_session_of_a_named_instance_replaces_the_earlier_one() {
    let mut scene = Scene::new();
    scene.beat_for(1, "w1:a#1 0/1 v1").beat_for(1, "w1:b#1 0/1=starting v2").is("reconnecting resuming v1");
    scene.beat_for(0, "w1:a#2 0/1 v1").is("reconnecting resuming");
    scene.at(4.5).tick().is("offline heartbeat_timeout").beat_for(1, "w1:a#3 0/1").is("online");
}

#[test]
fn processes_a_late_beat_of_a_session_that_had_fallen_silent_is_ignored_too() {
    let mut scene = Scene::new();
    scene.beat("w1:a#1 0/1").at(4.5).tick().at(5.0).beat_for(1, "w1:b#1 0/1=starting").beat_for(0, "w1:a#2 0/1");
    scene.at(6.0).beat_for(1, "w1:b#2 0/1").is("online since=6");
}

#[test]
fn processes_sessions_without_a_name_are_processes_of_their_own() {
    let mut scene = Scene::new();
    scene.beat("_:a 0/1 v1").beat("_:b 0/1=starting v2").is("online v1").goodbye("_:a").is("reconnecting resuming");
    scene.beat("_ 0/1 v3").is("online v3").beat("_ 0/1=fatal").is("reconnecting resuming");
}

#[test]
fn sequence_a_beat_that_is_not_newer_is_ignored_on_all_shards() {
    let mut scene = Scene::new();
    scene.beat_for(1, "w1:a#5 0/2").beat_for(0, "w1:a#5 0/2=fatal 1/2").beat_for(0, "w1:a#4 1/2").beat_for(1, "w1:a#6 1/2");
    scene.beat_for(1, "w2:a#1 0/2").beat_for(1, "w1:b#1 0/2").beat_for(1, "w1:b 0/2").beat_for(0, "w1:b#1 0/2");
    scene.beat_for(1, "_#9 0/2").beat_for(1, "_#8 0/2").beat_for(1, "w3#9 0/2").beat_for(1, "w3#9 0/2");
}

#[test]
fn sequence_a_goodbye_ends_a_session_that_we_did_not_know() {
    let mut scene = Scene::new();
    scene.goodbye_for(0, "w1:a").silently().beat_for(0, "w1:a#7 0/1").is("unknown never_seen shard=none");
    scene.beat_for(1, "w1:b#1 0/1").is("online");
}

#[test]
fn sequence_a_goodbye_without_a_session_ends_all_of_the_instances() {
    let mut scene = Scene::new();
    scene.beat("_:a#1 0/1").beat("_:b#1 0/1").beat("_ 0/1").goodbye("_").is("offline goodbye");
    scene.beat_for(0, "_:a#2 0/1").beat_for(0, "_:b#2 0/1").is("offline goodbye").beat_for(1, "_ 0/1").is("online");
    scene.beat("w1:a#1 0/1").restart(1.0).goodbye("w1").beat_for(0, "w1:a#2 0/1");
}

#[test]
fn sequence_a_goodbye_for_some_shards_ends_the_session_there() {
    let mut scene = Scene::new();
    scene.beat("w1:a#1 0/2 1/2").goodbye("w1:a 0/2").is("offline goodbye").of(1, "online");
    scene.beat_for(1, "w1:a#2 0/2 1/2").is("offline goodbye").of(1, "online").goodbye("w1:a").beat_for(0, "w1:a#3 1/2");
}

#[test]
fn sequence_sessions_are_remembered_for_10_minutes_after_their_last_word() {
    let mut scene = Scene::new();
    scene.beat("w1:a#5 0/1").goodbye("w1").at(599.0).tick().beat_for(0, "w1:a#6 0/1");
    scene.at(1198.0).tick().beat_for(0, "w1:a#6 0/1").at(1798.5).tick().beat_for(1, "w1:a#1 0/1").is("online");
}

#[test]
fn sequence_the_goodbye_of_an_unknown_process_says_nothing() {
    let mut scene = Scene::new();
    scene
        .beat("w1:a 0/1")
        .anyhow()
        .goodbye_for(0, "w2")
        .goodbye_for(0, "w1:b back=9000")
        .goodbye_for(0, "w1 0/2")
        .is("online");
    scene.silently().at(4.5).tick().anyhow().goodbye_for(0, "w1 back=9000").is("offline heartbeat_timeout").silently();
}

#[test]
fn fatal_is_the_reason_even_of_a_shard_that_had_fallen() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1=fatal").is("offline fatal beat=0 since=0").at(1.0).beat("w1 0/1").is("online");
    scene.at(5.5).tick().is("offline heartbeat_timeout").beat("w1 0/1=fatal").is("offline fatal since=5.5 beat=5.5");
    scene
        .beat("w1 0/1")
        .goodbye("w1 back=60000")
        .is("maintenance goodbye")
        .beat("w2 0/1=fatal")
        .is("offline fatal back=never");
}

#[test]
fn falling_between_two_processes_is_reconnecting_but_after_a_crash_it_is_starting() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w2 0/1=starting").goodbye("w1").is("reconnecting resuming healthy since=0");
    scene.beat_until(15.0, "w2 0/1=identifying").tick().is("offline gateway_disconnected");
    scene
        .beat("w2 0/1")
        .at(19.5)
        .tick()
        .is("offline heartbeat_timeout")
        .beat("w3 0/1=starting")
        .is("offline starting since=19.5");
}

#[test]
fn falling_the_15_seconds_run_from_the_silence_of_the_ready_process() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w2 0/1=resuming i60000").at(4.5).tick().is("reconnecting resuming since=4.5");
    scene.at(19.4).tick().is("reconnecting resuming").at(19.5).tick().is("offline gateway_disconnected");
}

#[test]
fn falling_a_ready_process_that_hears_discord_is_preferred_to_a_deaf_one() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1@90001 v1").is("offline starting v=none").beat("w2 0/1 v2").is("online v2");
    scene.beat("w3 0/1@90001 v3").is("online v2").goodbye("w2").is("reconnecting resuming v2");
}

#[test]
fn maintenance_outlives_a_process_that_was_not_ready() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").goodbye("w1 back=20000").at(1.0).beat("w1 0/1=starting").is("maintenance goodbye back=20 since=0");
    scene.at(5.5).tick().is("maintenance goodbye back=20").at(18.0).beat("w1 0/1=starting").is("maintenance goodbye");
    scene.at(20.0).tick().is("offline starting since=20").at(22.5).tick().is("offline heartbeat_timeout since=20");
}

#[test]
fn maintenance_ends_with_a_goodbye_that_announces_nothing_and_begins_anew_with_one_that_does() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").goodbye("w1 back=20000").at(1.0).beat("w1 0/1=starting").goodbye("w1 back=50000");
    scene.is("maintenance goodbye back=51 since=0").at(20.0).tick().is("maintenance goodbye");
    scene
        .beat("w1 0/1=starting")
        .goodbye("w1")
        .is("offline goodbye since=20 back=never")
        .at(51.0)
        .tick()
        .is("offline goodbye");
}

#[test]
fn maintenance_needs_a_goodbye_that_made_the_shard_fall() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w2 0/1").anyhow().goodbye("w1 back=20000").is("online").silently();
    scene.at(4.5).tick().is("offline heartbeat_timeout");
}

#[test]
fn maintenance_that_is_over_when_a_process_is_found_silent_is_not_left_running() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").goodbye("w1 back=4501").beat("w2 0/1=starting").is("maintenance goodbye");
    scene.at(4.5).linger(1).tick().is("offline heartbeat_timeout");
}

#[test]
fn version_comes_from_the_ready_process_whose_first_beat_is_newest() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 v1").beat("w2 0/1 v2").beat("w1 0/1 v1").is("online v2").beat("w2 0/1").is("online v2");
    scene.beat("w3 0/1").is("online v2").beat("w3 0/1=resuming v3").is("online v2").beat("w3 0/1").is("online v3");
    scene.goodbye("w3").is("online v2").beat("w1:a 0/1 v4").is("online v4");
    scene.beat("w1:a 0/1=resuming v5").beat("w2 0/1=resuming").is("reconnecting resuming v2");
}

#[test]
fn version_stays_if_all_ready_processes_are_found_silent_at_once() {
    let (one, two) = ("w1 0/1 v1 i2001", "w2 0/1 v2 i2000");
    let mut one_by_one = Scene::new();
    one_by_one.beat(one).beat(two).is("online v2").at(4.5).tick().is("online v1").at(4.50225).tick();
    one_by_one.is("offline heartbeat_timeout v1");
    let mut at_once = Scene::new();
    at_once.beat(one).beat(two).at(4.5).linger(3).tick().is("offline heartbeat_timeout v2");
}

#[test]
fn outage_counts_only_shards_that_lost_the_gateway_and_still_beat() {
    let mut scene = Scene::new();
    scene.beat("w1 0/3 1/3 2/3").beat("w1 0/3=resuming 1/3=resuming 2/3").at(3.0).beat("w1 1/3=resuming 2/3");
    scene.at(4.5).tick().is("offline heartbeat_timeout").beat("w1 1/3=resuming 2/3=resuming").of(2, "reconnecting resuming");
}

#[test]
fn outage_ends_for_each_shard_when_it_is_ready_or_falls() {
    let mut scene = Scene::new();
    scene.beat("w1 0/3 1/3 2/3").beat("w1 0/3=resuming 1/3=resuming 2/3=resuming").is("reconnecting discord_outage");
    scene.beat("w1 0/3").is("online").beat("w1 0/3=resuming").is("reconnecting discord_outage").beat("w1 0/3");
    scene
        .at(31.0)
        .tick()
        .beat("w1 0/3 1/3")
        .beat("w1 0/3=resuming")
        .is("reconnecting resuming")
        .of(2, "offline heartbeat_timeout");
}

#[test]
fn outage_is_judged_by_the_whole_beat() {
    let mut scene = Scene::new();
    scene.beat("w1 0/6 1/6 2/6 3/6 4/6 5/6").beat("w1 0/6 1/6 2/6=resuming 3/6=resuming 4/6=resuming 5/6=resuming");
    scene.of(2, "reconnecting resuming").beat("w1 0/6 1/6=resuming 2/6").of(3, "reconnecting resuming");
}

#[test]
fn generations_count_with_one_ready_shard_if_no_other_has_one() {
    let mut scene = Scene::new();
    scene.beat("old 0/2 1/2").beat("new 0/6=starting").beat("new 0/6").of(0, "online shard=0/2").goodbye_for(2, "old");
    scene.of(0, "online shard=0/6").of(1, "offline goodbye shard=1/2").beat("old 0/2 1/2").of(0, "online shard=0/6");
}

#[test]
fn generations_all_count_if_none_does() {
    let mut scene = Scene::new();
    scene.beat("old 0/2=starting").beat("new 1/4=starting").of(0, "offline starting shard=0/2");
    scene.of(1, "offline starting shard=1/4").of(3, "unknown never_seen shard=3/4");
}

#[test]
fn generations_a_guild_stays_where_its_shard_was_ready_last() {
    let mut scene = Scene::new();
    scene.beat("old 0/2 1/2").beat("new 0/4 1/4 2/4 3/4").at(2.0).beat("old 0/2 1/2").at(4.5).tick();
    scene.of(0, "online shard=0/2").at(6.5).tick().of(0, "offline heartbeat_timeout shard=0/2 since=6.5");
}

#[test]
fn generations_the_one_with_the_newest_beat_is_never_forgotten() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2 1/2 v1").at(90_000.0).tick().is("offline heartbeat_timeout v1 since=4.5");
}

#[test]
fn generations_one_shard_takes_over_where_the_other_said_goodbye_meanwhile() {
    let mut scene = Scene::new();
    scene.beat("old 0/4 1/4").beat("crash 2/4").beat("rest 3/4").goodbye("old 0/4");
    scene.at(1.0).beat("new 0/1").of(0, "offline goodbye").of(1, "online shard=1/4");
    scene.at(2.0).goodbye("old").of(0, "offline goodbye").of(1, "online shard=0/1").of(2, "online shard=2/4");
    scene.at(4.0).beat("new 0/1").beat("rest 3/4").at(4.5).tick().of(2, "offline heartbeat_timeout shard=2/4");
    scene.goodbye("rest").of(0, "online shard=0/1").of(2, "online shard=0/1");
}

#[test]
fn generations_beyond_64_forget_the_one_with_the_oldest_beat() {
    let mut scene = Scene::new();
    for count in (12..24).chain(100..152) {
        scene.at(f64::from(count) / 1000.0).beat(&format!("w1 0/{count}=starting"));
    }
    scene.at(1.0).beat("w1 0/12=starting").at(2.0).beat("w1 0/200=starting");
    let counts: Vec<u32> = scene.rig.machine.shards().iter().filter_map(|shard| Some(shard.facts.shard?.count)).collect();
    assert!(counts.len() == 64 && counts.contains(&12) && !counts.contains(&13) && counts.contains(&200), "{counts:?}");
}

#[test]
fn exceptions_belong_to_the_process_and_the_shard_that_it_runs() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2").beat("w2 1/2").anyhow().beat("w1 0/2 -1").of(1, "online").silently();
    scene.beat("w1 0/2 -0").beat("w3 0/2 -0").beat("w2 1/2 +0").of(0, "unavailable discord_outage");
    scene.goodbye("w1").of(0, "unavailable discord_outage since=0").beat("w4 0/2 +0").of(0, "online");
}

#[test]
fn exceptions_end_with_a_change_to_starting_or_identifying_and_not_with_a_repetition() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 v1").beat("w2 0/1=identifying -0").is("unavailable discord_outage");
    scene.beat("w2 0/1=identifying").is("unavailable discord_outage").beat("w2 0/1=starting").is("online");
    scene.beat("w2:a 0/1 -0").is("unavailable discord_outage").beat("w2:b 0/1").is("online");
}

#[test]
fn exceptions_in_one_beat_come_after_its_shards() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2 -0").is("unavailable discord_outage").anyhow().at(1.0).beat("w1 0/2=identifying -0");
    scene.is("unavailable discord_outage since=0").beat("w1 0/2=fatal -0").is("offline fatal").beat("w1 0/2").is("online");
}

#[test]
fn exceptions_show_only_while_the_shard_is_up_and_keep_their_time() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").at(1.0).beat("w1 0/1 -0 i60000").is("unavailable discord_outage since=1");
    scene
        .at(2.0)
        .beat("w1 0/1=resuming i60000")
        .is("unavailable discord_outage since=1")
        .neighbour(0, "reconnecting resuming since=2");
    scene
        .at(17.0)
        .tick()
        .is("offline gateway_disconnected since=17")
        .at(18.0)
        .beat("w1 0/1")
        .is("unavailable discord_outage since=18");
}

#[test]
fn restart_unknown_ends_with_the_first_word_of_any_process() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 v1").beat("w2 0/1 v1 i60000").restart(1.0).is("unknown server_restarted");
    scene.goodbye("w2").is("online since=0").at(5.5).tick().is("offline heartbeat_timeout");
    scene
        .restart(1.0)
        .beat("w3 0/1=fatal")
        .is("offline fatal since=5.5")
        .restart(1.0)
        .goodbye_for(0, "w1")
        .is("unknown server_restarted");
}

#[test]
fn restart_a_shard_that_had_fallen_returns_to_what_was_stored() {
    let mut scene = Scene::new();
    scene
        .beat("w1 0/3 i60000")
        .goodbye("w1")
        .beat("w2 1/3 i60000")
        .goodbye("w2 back=200000")
        .beat("w3 2/3")
        .goodbye("w3 back=9000");
    scene.restart(5.0).is("unknown server_restarted unhealthy since=0").at(9.4).tick().of(2, "unknown server_restarted");
    scene.at(9.5).tick().of(2, "offline goodbye").at(129.9).tick().is("unknown server_restarted");
    scene.at(130.0).tick().is("offline goodbye since=0").of(1, "maintenance goodbye since=0 back=200");
    scene.at(200.0).tick().of(1, "offline goodbye since=200");
}

#[test]
fn restart_twice_finds_what_ended_unseen_in_between() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 i60000").goodbye("w1 back=9000").restart(5.0).at(9.0).tick().is("unknown server_restarted");
    scene.restart(1.0).is("unknown server_restarted since=0").at(140.0).tick().is("offline goodbye");
}

#[test]
fn restart_a_late_loop_moves_the_end_of_unknown() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2").goodbye("w1").beat("w2 1/2 i5000").restart(1.0).at(2.0).late(1000);
    scene.at(8.4).tick().is("unknown server_restarted").at(8.5).tick().is("offline goodbye since=0");
    scene.at(18.2).tick().of(1, "unknown server_restarted").at(18.25).tick().of(1, "offline heartbeat_timeout since=18.25");
}

#[test]
fn restart_turns_nobody_green_who_was_cut_off() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat_until(16.0, "w1 0/1=resuming").is("offline gateway_disconnected since=15").restart(1.0);
    scene
        .is("unknown server_restarted unhealthy since=15")
        .beat("w1 0/1=resuming")
        .is("offline gateway_disconnected since=15");
}

#[test]
fn restart_turns_nobody_green_who_was_cut_off_at_that_very_moment() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 i20000").beat("w1 0/1=resuming i20000").at(15.0).tick().restart(0.0);
    scene.beat("w1 0/1=resuming i20000").is("offline gateway_disconnected since=15");
}

#[test]
fn restart_makes_no_session_the_earlier_one() {
    let mut scene = Scene::new();
    scene.beat("w1:a#1 0/2 1/2").beat("w1:b#1 0/2 1/2=fatal").beat_for(1, "w1:a#2 0/2 1/2");
    scene.restart(0.0).beat_for(2, "w1:b#2 0/2 1/2");
}

#[test]
fn restart_keeps_an_outage_an_outage() {
    let mut scene = Scene::new();
    scene.beat("w1 0/3 1/3 2/3").beat("w1 0/3=resuming 1/3=resuming 2/3=resuming").restart(1.0);
    scene.beat("w1 0/3=resuming").is("reconnecting discord_outage since=0");
}

#[test]
fn sleep_leaves_those_alone_who_had_fallen_and_ends_a_maintenance_by_the_wall_clock() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2").goodbye("w1").beat("w2 1/2").goodbye("w2 back=60000").anyhow().at(1.0).sleep(30.0).silently();
    scene.is("offline goodbye").of(1, "maintenance goodbye back=60").at(29.9).tick().of(1, "maintenance goodbye");
    scene.at(30.0).tick().of(1, "offline goodbye since=60");
}

#[test]
fn revision_changes_with_every_transition_and_goes_on_through_a_move() {
    let mut scene = Scene::new();
    let mut seen = Vec::new();
    for beat in ["a 0/2 1/2", "b 1/4", "b 0/4", "a 1/2=resuming", "b 1/4=resuming", "b 1/4=fatal 0/4=fatal", "a 1/2 0/2"] {
        scene.beat(beat);
        seen.push(scene.rig.machine.facts(crate::rig::guild(1, 0)).revision);
    }
    assert!(seen.is_sorted() && seen.first() < seen.last(), "{seen:?}");
}
