//! The nine rules of section 3, by example.

use guildpulse::liveness::Transition;

use crate::lingo::shard;
use crate::rig::guild;
use crate::scene::Scene;

#[test]
fn rule_1_a_silent_crash_shows_4_and_a_half_seconds_after_the_last_beat() {
    let mut scene = Scene::new();
    scene.is("unknown never_seen shard=none unhealthy since=0 beat=never v=none");
    scene.beat("w1 0/1 v1.4").is("online healthy v1.4 since=0 beat=0 shard=0/1");
    scene.at(2.0).beat("w1 0/1").is("online beat=2 since=0");
    scene.at(6.499).tick().is("online").at(6.5).tick().is("offline heartbeat_timeout since=6.5 beat=2 v1.4");
}

#[test]
fn rule_1_a_shard_lives_as_long_as_any_instance_does() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 i2000").beat("w2 0/1 i60000").anyhow();
    scene.at(4.5).tick().at(60.0).tick().is("online").silently();
    scene.at(125.0).tick().is("offline heartbeat_timeout");
}

#[test]
fn rule_2_a_beat_at_the_deadline_comes_before_the_timer() {
    Scene::new().beat("w1 0/1").at(4.5).beat("w1 0/1").tick().is("online since=0");
}

#[test]
fn rule_3_the_best_fresh_instance_counts() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w2 0/1=resuming").beat("w3 0/1=starting").beat("w4 0/1=disconnected").is("online");
    scene.beat("w1 0/1=fatal").is("reconnecting resuming").beat("w4 0/1").is("online since=0");
}

#[test]
fn rule_3_a_fatal_instance_leaves_alone_unless_it_is_the_last() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w2 0/1").anyhow();
    scene.beat_for(1, "w1 0/1=fatal").is("online").silently().beat("w2 0/1=fatal").is("offline fatal beat=0");
}

#[test]
fn rule_3_a_goodbye_takes_one_instance_and_the_last_one_takes_the_shard() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2 1/2").beat("w2 0/2").anyhow().goodbye_for(2, "w1").is("online").of(1, "offline goodbye");
    scene.goodbye("w2 back=60000").is("maintenance goodbye unhealthy back=60");
    scene.at(60.0).is("maintenance goodbye").tick().is("offline goodbye since=60 back=never");
}

#[test]
fn rule_4_a_process_that_loses_discord_has_15_seconds() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 v1").beat_until(15.0, "w1 0/1=disconnected").is("reconnecting resuming healthy v1");
    scene.tick().is("offline gateway_disconnected since=15").beat("w1 0/1").is("online since=15");
}

#[test]
fn rule_4_an_acknowledgement_counts_until_it_is_older_than_90_s() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1@90000").is("online").beat("w1 0/1@90000.5").is("reconnecting resuming");
    scene.beat("w1 0/1@90001").is("reconnecting resuming").beat("w1 0/1").is("online");
}

#[test]
fn rule_4_a_process_that_was_never_ready_is_starting() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1=starting").is("offline starting").beat("w1 0/1=resuming").is("offline starting");
    scene.beat("w1 0/1=ready@90001").is("offline starting").beat("w1 0/1").is("online");
    scene.goodbye("w1 back=9000").at(1.0).beat("w1 0/1=identifying").is("maintenance goodbye back=9 since=0");
    scene.at(4.0).beat("w1 0/1").is("online since=4 back=never").at(8.5).tick().is("offline heartbeat_timeout");
}

#[test]
fn rule_5_losing_discord_with_most_is_not_the_bots_fault() {
    let mut scene = Scene::new();
    scene.beat("w1 0/6 1/6 2/6 3/6 4/6").beat("w1 0/6=resuming 1/6=resuming 2/6=resuming 3/6 4/6");
    scene.is("reconnecting resuming").beat("w1 3/6=disconnected").is("reconnecting discord_outage healthy since=0");
    scene.of(3, "reconnecting discord_outage").of(4, "online");
    scene
        .at(2.0)
        .beat("w1 0/6 1/6=resuming 2/6=resuming 3/6=resuming i60000")
        .is("online")
        .of(1, "reconnecting discord_outage");
    scene.at(15.0).tick().of(1, "offline discord_outage since=15").of(4, "offline heartbeat_timeout");
}

#[test]
fn rule_6_a_reshard_moves_guilds_shard_by_shard() {
    let mut scene = Scene::new();
    scene.beat("old 0/2 1/2 v1").beat("new 0/4 1/4=starting 2/4=starting 3/4=starting v2");
    scene.of(0, "online v1 shard=0/2").of(2, "online v1 shard=0/2");
    scene.beat("new 1/4").of(0, "online v2 shard=0/4").of(1, "online shard=1/4").of(2, "online v1 shard=0/2");
    scene.beat("new 2/4 3/4").goodbye_for(2, "old").of(2, "online v2 shard=2/4").of(3, "online shard=3/4");
}

#[test]
fn rule_6_a_generation_is_forgotten_10_minutes_after_its_last_beat() {
    let mut scene = Scene::new();
    scene.beat("old 0/2 1/2").at(1.0).beat("new 0/4 1/4 2/4=starting 3/4=starting").at(599.0).tick();
    scene.beat("new 0/4 1/4=starting").of(2, "offline heartbeat_timeout shard=0/2").of(1, "offline starting shard=1/4");
    scene.at(600.0).of(2, "offline heartbeat_timeout shard=0/2").tick().of(2, "offline heartbeat_timeout shard=2/4");
}

#[test]
fn rule_6_growing_from_one_shard_turns_nobody_red() {
    let mut scene = Scene::new();
    scene.beat("old 0/1").beat("new 0/4 1/4 2/4=starting").of(0, "online shard=0/4").of(2, "online shard=0/1");
    scene.of(3, "online shard=0/1");
}

#[test]
fn rule_6_a_stray_shard_turns_nobody_green_or_red() {
    let mut scene = Scene::new();
    scene.beat("bot 0/4 1/4 2/4").beat("bot 1/4=starting 0/4 2/4").goodbye("bot 2/4");
    scene.at(0.5).beat("stray 0/1").of(0, "online shard=0/4").of(1, "reconnecting resuming shard=1/4");
    scene.of(2, "offline goodbye shard=2/4").of(3, "unknown never_seen shard=3/4");
    scene.goodbye("stray").of(0, "online shard=0/4").of(2, "offline goodbye");
}

#[test]
fn rule_7_a_guild_that_discord_lost_is_unavailable_alone() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2 1/2").anyhow().at(1.0).beat("w1 0/2 1/2 -4").of(4, "unavailable discord_outage unhealthy since=1");
    assert_eq!(scene.take(), [Transition::Guild(guild(4, 0))]);
    scene.neighbour(4, "online").of(0, "online").at(2.0).beat("w1 0/2 1/2 -4").silently();
    scene.beat("w1 0/2 1/2 +4").of(4, "online healthy");
}

#[test]
fn rule_7_an_exception_ends_when_the_shard_identifies_anew_or_its_reporter_goes() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").beat("w1 0/1=identifying").beat("w1 0/1 -0").is("unavailable discord_outage");
    scene.beat("w1 0/1=resuming").is("unavailable discord_outage").beat("w1 0/1=identifying").is("reconnecting resuming");
    scene.beat("w1 0/1").beat("w2 0/1 -0").is("unavailable discord_outage").goodbye("w2").is("online");
    scene.beat("w2 0/1 -0").at(4.0).beat("w1 0/1").at(4.5).tick().is("online");
}

#[test]
fn rule_7_exceptions_outlive_our_own_restart() {
    let mut scene = Scene::new();
    scene
        .beat("w1 0/1 -0")
        .restart(3.0)
        .is("unknown server_restarted unhealthy")
        .neighbour(0, "unknown server_restarted healthy");
    scene.beat("w1 0/1").is("unavailable discord_outage").neighbour(0, "online since=0").beat("w1 0/1 +0").is("online");
}

#[test]
fn rule_8_after_our_own_restart_nobody_is_offline_before_a_beat_could_have_come() {
    let mut scene = Scene::new();
    scene.beat("w1 0/2 v1").at(1.0).beat("w1 1/2=starting i60000").restart(100.0);
    scene
        .is("unknown server_restarted healthy since=0 beat=0 v1 shard=0/2")
        .of(1, "unknown server_restarted unhealthy since=1");
    scene.at(105.4).tick().is("unknown server_restarted").at(105.5).tick().is("offline heartbeat_timeout since=105.5");
    scene.at(110.0).beat("w1 1/2=starting").of(1, "offline starting since=1").beat("w1 0/2").is("online since=110");
}

#[test]
fn rule_8_sleep_is_not_silence() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1").at(4.0).sleep(3600.0).is("unknown server_suspended healthy since=0").at(8.4).tick();
    scene.is("unknown server_suspended").beat("w1 0/1").is("online since=0").at(12.9).tick().is("offline heartbeat_timeout");
}

#[test]
fn rule_8_a_late_loop_moves_every_deadline_by_the_lateness_and_one_interval() {
    let mut scene = Scene::new();
    scene
        .beat("w1 0/3 i5000")
        .beat("w2 1/3")
        .beat("w2 1/3=resuming i60000")
        .beat("w3 2/3")
        .goodbye("w3 back=20000")
        .anyhow();
    // It meant to wake at 10 s, and every deadline until then has passed: 11.25 s, 15 s and 20 s have not.
    scene.at(10.0).late(6000).tick().is("online").of(1, "reconnecting resuming").silently();
    scene.at(22.249).tick().is("online").at(22.25).tick().is("offline heartbeat_timeout");
    scene.at(22.999).tick().of(1, "reconnecting resuming").at(23.0).tick().of(1, "offline gateway_disconnected");
    scene.at(27.999).tick().of(2, "maintenance goodbye back=20").at(28.0).tick().of(2, "offline goodbye");
}

#[test]
fn rule_9_a_lost_beat_is_no_event() {
    Scene::new().beat("w1 0/1").anyhow().at(4.0).tick().beat("w1 0/1").at(8.4).tick().is("online").silently();
}

#[test]
fn rule_9_a_deploy_is_no_event_but_the_versions() {
    let mut scene = Scene::new();
    scene.beat("w1 0/1 v1").anyhow().at(1.0).beat("w2 0/1=starting v2").at(2.0).beat("w1 0/1 v1").is("online v1").silently();
    scene.at(3.0).beat("w2 0/1 v2").is("online v2 since=0");
    assert_eq!(scene.take(), [Transition::Shard(shard("0/1"))]);
    scene.at(4.0).beat("w1 0/1 v1").goodbye("w1").is("online v2 since=0").silently();
}
