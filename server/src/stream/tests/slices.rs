//! Work is cut into slices, so that nobody waits for all of it.

use std::time::Duration;

use super::scene::{Asked, Deadline, Scene, guild};

const SLICE: usize = 256;
/// More than two slices.
const MANY: usize = 600;

fn crowd() -> Scene {
    let mut scene = Scene::start();
    for _ in 0..MANY {
        let opened = scene.open(&[guild(0)], Asked::default());
        scene.arrive(opened);
    }
    scene
}

#[test]
fn between_two_slices_of_a_change_one_arrives_and_one_leaves() {
    let mut scene = crowd();
    // Those who came first have the first status, too.
    scene.settle();
    scene.say(1);
    let told = |scene: &Scene| usize::try_from(scene.metrics.deliveries.get()).unwrap();
    scene.turn();
    assert_eq!((told(&scene), scene.threads[0].streams()), (SLICE, MANY));
    let opened = scene.open(&[guild(1)], Asked::default());
    scene.arrive(opened);
    scene.turn();
    assert_eq!((told(&scene), scene.threads[0].streams()), (2 * SLICE, MANY + 1), "one has come");
    (0..2).for_each(|viewer| scene.viewers[viewer].hang_up());
    scene.turn();
    assert_eq!((told(&scene), scene.threads[0].streams()), (MANY, MANY - 1), "two have gone");
    let mut heard = vec![0; MANY + 1];
    scene.until("everybody else was told once", |scene| {
        scene.viewers.iter_mut().zip(&mut heard).for_each(|(viewer, heard)| *heard += viewer.statuses().len());
        heard[2..MANY].iter().all(|heard| *heard == 2)
    });
}

#[test]
fn those_who_arrive_together_are_taken_in_by_slices() {
    let mut scene = crowd();
    for served in [SLICE, 2 * SLICE, MANY] {
        scene.turn();
        assert_eq!((scene.threads[0].streams(), scene.reactors.streams()), (served, MANY));
    }
}

#[test]
fn those_who_are_due_together_are_looked_after_by_slices() {
    let mut scene = crowd();
    scene.settle();
    scene.viewers.iter_mut().for_each(|viewer| drop(viewer.heard()));
    scene.clock.pass(Duration::from_secs(15));
    for told in [SLICE, SLICE, MANY - 2 * SLICE, 0] {
        scene.turn();
        let deadline = Deadline::soon();
        let mut heard = 0;
        while heard < told {
            scene.read();
            heard += scene.viewers.iter_mut().map(|viewer| viewer.statuses().len()).sum::<usize>();
            assert!(!deadline.is_over(), "{heard} instead of {told}");
        }
        assert_eq!((heard, scene.read()), (told, false));
    }
}
