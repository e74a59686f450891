//! When statuses are repeated.

use std::time::Duration;

use super::scene::{Asked, Scene, guild};

const MILLI: Duration = Duration::from_millis(1);
const TICK: Duration = Duration::from_millis(50);

#[test]
fn a_status_is_repeated_14_and_a_half_seconds_after_the_last_one_whatever_that_was() {
    let mut scene = Scene::start();
    scene.say(0);
    let viewer = scene.watch(&[guild(0)]);
    let heard = |scene: &mut Scene, time: Duration| {
        scene.pass(time);
        scene.viewers[viewer].numbers().len()
    };
    let refresh = Duration::from_millis(14_500);
    assert_eq!(heard(&mut scene, refresh - MILLI), 0);
    assert_eq!(heard(&mut scene, MILLI + TICK), 1);
    // A change is as good as a repetition.
    scene.pass(Duration::from_secs(10));
    scene.say(1);
    assert_eq!(heard(&mut scene, refresh - MILLI), 1);
    assert_eq!(heard(&mut scene, MILLI + TICK), 1);
    assert!((9..=10).contains(&heard(&mut scene, refresh * 10)), "each is a tick late at most");
}

#[test]
fn a_repeated_status_has_the_newest_heartbeat() {
    let mut scene = Scene::start();
    scene.say(0);
    let viewer = scene.watch(&[guild(0)]);
    scene.pass(Duration::from_secs(10));
    scene.say(0);
    assert!(scene.viewers[viewer].statuses().is_empty(), "a newer heartbeat alone is no change");
    scene.pass(Duration::from_secs(5));
    let statuses = scene.viewers[viewer].statuses();
    let seen = scene.monitor.facts(guild(0)).last_heartbeat;
    assert_eq!((statuses.len(), &statuses[0]["lastHeartbeat"]), (1, &serde_json::json!(seen)));
}

#[test]
fn the_guilds_of_a_viewer_take_turns() {
    let mut scene = Scene::start();
    let guilds: Vec<_> = (0..100).map(guild).collect();
    let viewer = scene.watch(&guilds);
    for _ in 0..30 {
        scene.pass(Duration::from_millis(1450));
        let heard = scene.viewers[viewer].numbers().len();
        assert!((5..=15).contains(&heard), "a tenth of them in a tenth of the time, not {heard}");
    }
}

#[test]
fn what_was_due_before_the_connection_left_http_is_sent_then() {
    let mut scene = Scene::start();
    let opened = scene.open(&[guild(0)], Asked::default());
    scene.clock.pass(Duration::from_secs(20));
    let viewer = scene.arrive(opened);
    scene.viewers[viewer].heard();
    scene.pass(TICK);
    assert_eq!(scene.viewers[viewer].numbers().len(), 1);
}

#[test]
fn what_changed_before_the_connection_left_http_is_sent_then_and_nothing_else() {
    let mut scene = Scene::start();
    for changes in [true, false] {
        let opened = scene.open(&[guild(0)], Asked::default());
        if changes {
            scene.say(1);
        }
        scene.settle();
        let viewer = scene.arrive(opened);
        scene.viewers[viewer].heard();
        scene.settle();
        assert_eq!(scene.viewers[viewer].numbers().len(), usize::from(changes));
    }
}
