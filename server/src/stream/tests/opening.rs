//! How a stream leaves HTTP.

use super::super::Handoff;
use super::scene::{Asked, Scene, guild, poll};
use crate::hub::Subject;

#[test]
fn a_stream_leaves_http_with_the_first_flush_after_it_has_said_everything() {
    let scene = Scene::start();
    let handoff = Handoff::default();
    handoff.flushed();
    let mut opening = scene.opening(&[guild(0)], Asked::default(), &handoff);
    assert!(poll(&mut opening).is_some());
    handoff.flushed();
    assert!(!handoff.is_offered());
    assert!(poll(&mut opening).is_none());
    assert!(handoff.is_offered() && handoff.take().is_none(), "that was a flush of something else");
    handoff.flushed();
    assert!(handoff.take().is_some_and(|adoption| adoption.guilds == [(Subject::of_all(guild(0)), 0)]));
    assert!(handoff.take().is_none(), "it has left");
}

#[test]
fn a_stream_that_ends_before_it_leaves_http_gives_its_place_back() {
    let scene = Scene::start();
    let handoff = Handoff::default();
    let mut opening = scene.opening(&[guild(0)], Asked::default(), &handoff);
    assert_eq!(scene.metrics.viewers.get(), 1);
    poll(&mut opening);
    poll(&mut opening);
    drop(opening);
    assert_eq!(scene.metrics.viewers.get(), 1, "it is offered");
    drop(handoff);
    assert_eq!(scene.metrics.viewers.get(), 0);
}
