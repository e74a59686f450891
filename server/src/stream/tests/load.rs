//! Waking, sharing, and what is counted.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::scene::{Deadline, Scene, guild};

#[test]
fn a_reactor_that_has_nothing_to_do_sleeps() {
    let mut scene = Scene::start();
    let slept = |scene: &mut Scene, most: u64| {
        let deadline = Deadline::after(Duration::from_millis(most));
        scene.wait(Duration::from_millis(most));
        deadline.is_over()
    };
    assert!(slept(&mut scene, 50), "nobody watches");
    let guilds: Vec<_> = (0..100).map(guild).collect();
    let viewer = scene.watch(&guilds);
    assert!(slept(&mut scene, 50), "nothing has changed");
    scene.viewers[viewer].reads = false;
    scene.say(0);
    scene.settle();
    // The kernel may take a little more at first.
    assert!((0..10).any(|_| slept(&mut scene, 50)), "it waits for the viewer");
    scene.say(1);
    assert!(!slept(&mut scene, 10_000), "something has changed");
    assert!(slept(&mut scene, 50), "it has seen that");
    scene.viewers[viewer].read(100_000);
    assert!(!slept(&mut scene, 10_000), "the viewer takes something");
}

#[test]
fn a_change_that_comes_while_a_reactor_looks_is_not_missed() {
    let mut scene = Scene::start();
    // Others, so that it is busy for a while.
    (1..100).for_each(|number| _ = scene.watch(&[guild(number)]));
    let viewer = scene.watch(&[guild(0)]);
    let monitor = scene.monitor.clone();
    for round in 0..50 {
        thread::scope(|scope| {
            scope.spawn(|| (0..4).for_each(|beat| Scene::say_to(&monitor, round * 4 + beat)));
            let last = json!(format!("1.{}", round * 4 + 3));
            let mut known = json!(null);
            scene.until("the last change is seen", |scene| {
                if let Some(status) = scene.viewers[viewer].statuses().pop() {
                    known = status["version"].clone();
                }
                known == last
            });
        });
    }
}

#[test]
fn reactors_share_the_load_and_all_hear_of_a_change() {
    let mut scene = Scene::with_reactors(3);
    let viewers: Vec<_> = (0..9).map(|_| scene.watch(&[guild(0)])).collect();
    assert!(scene.threads.iter().all(|reactor| reactor.streams() == 3), "{:?}", scene.threads);
    scene.say(1);
    for viewer in viewers {
        scene.until("the change is heard", |scene| scene.viewers[viewer].statuses().len() == 1);
    }
    assert_eq!(scene.reactors.streams(), 9);
}

#[test]
fn a_change_is_one_delivery_to_each_viewer_and_what_is_only_repeated_is_none() {
    let mut scene = Scene::start();
    scene.say(0);
    let viewers: Vec<_> = (0..3).map(|_| scene.watch(&[guild(0), guild(1)])).collect();
    let deliveries = |scene: &Scene| scene.metrics.deliveries.get();
    assert_eq!(deliveries(&scene), 0, "the first statuses were HTTP's");
    scene.pass(Duration::from_secs(60));
    assert_eq!(deliveries(&scene), 0);
    scene.say(1);
    scene.settle();
    assert_eq!(deliveries(&scene), 6);
    (2..5).for_each(|version| scene.say(version));
    scene.settle();
    assert_eq!(deliveries(&scene), 12, "of several the last is sent");
    scene.pass(Duration::from_secs(60));
    assert_eq!(deliveries(&scene), 12);
    for viewer in viewers {
        // Two statuses every 14.5 s, eight times, and the two changes.
        assert_eq!(scene.viewers[viewer].statuses().len(), 20);
    }
}
