//! How streams end.

use std::time::Duration;

use super::body::Event;
use super::scene::{Asked, Scene, guild};
use crate::wire::sse::Framing;

const SECOND: Duration = Duration::from_secs(1);

const FRAMINGS: [Framing; 2] = [Framing::Chunked, Framing::UntilClose];

/// A viewer of this guild and another, whose token ends in a second.
fn watch(scene: &mut Scene, framing: Framing) -> usize {
    let token = scene.wall_in(1000);
    scene.watch_as(&[guild(0), guild(1)], Asked { framing, token })
}

/// The goodbyes that a viewer has heard.
fn goodbyes(scene: &mut Scene, viewer: usize) -> Vec<String> {
    let goodbye = |event| match event {
        Event::Goodbye { reason, .. } => Some(reason),
        Event::Greeting | Event::Status(_) => None,
    };
    scene.viewers[viewer].heard().into_iter().filter_map(goodbye).collect()
}

#[test]
fn a_token_ends_at_its_time_and_with_it_the_stream() {
    let mut scene = Scene::start();
    for framing in FRAMINGS {
        let asked = Asked { framing, token: scene.wall_in(20_000) };
        let viewer = scene.watch_as(&[guild(0)], asked);
        scene.pass(Duration::from_millis(19_999));
        assert_eq!((scene.viewers[viewer].end, goodbyes(&mut scene, viewer)), (None, vec![]));
        scene.pass(Duration::from_millis(51));
        scene.until("the stream is over", |scene| scene.viewers[viewer].is_over());
        assert_eq!(goodbyes(&mut scene, viewer), ["expired"]);
        scene.until("nothing is left", |scene| scene.reactors.streams() == 0);
    }
}

#[test]
fn a_token_ends_while_the_machine_sleeps() {
    let mut scene = Scene::start();
    let viewer = scene.watch_as(&[guild(0)], Asked { token: scene.wall_in(3_600_000), ..Asked::default() });
    scene.clock.sleep(Duration::from_secs(3600));
    // Of the sleep nobody is told, so it is noticed when something is due anyway.
    scene.pass(Duration::from_secs(15));
    scene.until("the stream is over", |scene| scene.viewers[viewer].is_over());
    assert_eq!(goodbyes(&mut scene, viewer), ["expired"]);
}

#[test]
fn a_goodbye_stands_behind_a_cut_frame_and_nothing_behind_it() {
    let mut scene = Scene::start();
    for framing in FRAMINGS {
        let viewer = watch(&mut scene, framing);
        scene.viewers[viewer].reads = false;
        for version in 0..50 {
            scene.say(version);
            scene.turn();
        }
        scene.pass(SECOND + Duration::from_millis(50));
        scene.say(50);
        scene.settle();
        scene.viewers[viewer].reads = true;
        scene.until("the stream is over", |scene| scene.viewers[viewer].is_over());
        assert_eq!(goodbyes(&mut scene, viewer), ["expired"]);
    }
}

#[test]
fn what_a_viewer_says_does_not_take_back_a_goodbye_that_is_on_its_way() {
    let mut scene = Scene::start();
    let mut on_their_way = 0;
    for statuses in 0..12 {
        let token = scene.wall_in(1000);
        let viewer = scene.watch_as(&[guild(0)], Asked { token, ..Asked::default() });
        scene.viewers[viewer].say(b"GET / HTTP/1.1\r\n\r\n");
        scene.settle();
        scene.viewers[viewer].reads = false;
        for version in 0..statuses {
            scene.say(version);
            scene.settle();
        }
        scene.pass(SECOND + Duration::from_millis(50));
        let kernel_has_it = scene.metrics.viewers.get() == 0;
        // It was patient with this viewer, and closes.
        scene.pass(SECOND + Duration::from_millis(50));
        assert_eq!(scene.reactors.streams(), 0);
        scene.viewers[viewer].reads = true;
        scene.until("the stream is over", |scene| scene.viewers[viewer].end.is_some());
        if kernel_has_it {
            assert!(scene.viewers[viewer].is_over(), "{:?} behind {statuses} statuses", scene.viewers[viewer].end);
            on_their_way += 1;
        }
    }
    assert!(on_their_way > 1, "the kernel had something to bring over");
}

#[test]
fn who_does_not_close_after_its_goodbye_has_a_connection_for_a_second_but_no_stream() {
    let mut scene = Scene::start();
    let viewer = watch(&mut scene, Framing::Chunked);
    let open = |scene: &Scene| (scene.metrics.viewers.get(), scene.metrics.connections.get(), scene.reactors.streams());
    assert_eq!(open(&scene), (1, 1, 1));
    scene.viewers[viewer].reads = false;
    scene.pass(SECOND + Duration::from_millis(50));
    assert_eq!(open(&scene), (0, 1, 1));
    scene.pass(SECOND + Duration::from_millis(50));
    assert_eq!(open(&scene), (0, 0, 0));
}

#[test]
fn a_viewer_that_takes_nothing_for_30_s_is_closed_and_gives_its_places_back() {
    let mut scene = Scene::start();
    let viewer = scene.watch(&[guild(0)]);
    let other = scene.watch(&[guild(0)]);
    scene.viewers[viewer].reads = false;
    for version in 0..50 {
        scene.say(version);
        scene.settle();
    }
    scene.pass(Duration::from_millis(29_999));
    assert_eq!(scene.reactors.streams(), 2);
    scene.pass(Duration::from_millis(51));
    let open = (scene.reactors.streams(), scene.metrics.viewers.get(), scene.metrics.connections.get());
    assert_eq!(open, (1, 1, 1));
    assert!(scene.viewers[other].numbers().len() >= 50, "nobody else has noticed");
}

#[test]
fn a_viewer_that_takes_a_little_now_and_then_stays_and_gets_the_newest() {
    let mut scene = Scene::start();
    let viewer = scene.watch(&[guild(0)]);
    scene.viewers[viewer].reads = false;
    for version in 0..50 {
        scene.say(version);
        scene.settle();
    }
    for _ in 0..6 {
        scene.pass(Duration::from_secs(20));
        scene.viewers[viewer].read(200);
        scene.settle();
        assert_eq!(scene.reactors.streams(), 1);
    }
    scene.viewers[viewer].reads = true;
    let newest = scene.monitor.facts(guild(0)).revision.seq;
    scene.until("it knows the newest", |scene| scene.viewers[viewer].numbers().contains(&newest));
    let numbers = scene.viewers[viewer].numbers();
    assert!(numbers.len() < 25, "it is not sent what is old: {numbers:?}");
}

#[test]
fn a_drain_is_spread_and_takes_along_who_comes_during_it() {
    const DRAIN: Duration = Duration::from_secs(10);
    let mut scene = Scene::start();
    for _ in 0..60 {
        scene.watch(&[guild(0)]);
    }
    let late = scene.open(&[guild(0)], Asked::default());
    let begin = scene.now();
    scene.reactors.drain(DRAIN);
    scene.settle();
    let late = scene.arrive(late);
    let mut gone = vec![];
    for second in 1..=9 {
        scene.pass(SECOND);
        scene.settle();
        gone.push(61 - scene.reactors.streams());
        let left = (begin + DRAIN).saturating_sub(scene.now());
        for viewer in &mut scene.viewers {
            for event in viewer.heard() {
                let Event::Goodbye { reason, retry_after } = event else { continue };
                let back = left + SECOND - Duration::from_millis(1)..=left + Duration::from_secs(6);
                assert!(reason == "shutdown" && back.contains(&retry_after), "{retry_after:?} in second {second}");
            }
        }
    }
    scene.pass(Duration::from_millis(50));
    assert_eq!(scene.reactors.streams(), 0, "{gone:?}");
    assert!(scene.viewers[late].is_over());
    // Chance would have to be very unkind.
    assert!(gone[0] < 30 && gone[3] > 5 && gone[4] < 56, "{gone:?}");
}
