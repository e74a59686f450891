//! One viewer by itself, and the kernel.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::super::index::GuildKey;
use super::super::viewer::{Seat, Taken, Verdict, Viewer};
use super::super::{Permits, REFRESH, STALL};
use super::far_end::connection;
use super::scene::Deadline;
use crate::auth::Holder;
use crate::config::Limits;
use crate::hub::Cause;
use crate::limits::{Connections, Viewers};
use crate::liveness::{Monotonic, Now};
use crate::metrics::Metrics;
use crate::wire::UnixMillis;
use crate::wire::sse::{Framing, GoodbyeReason};

const START: Monotonic = Duration::from_secs(1_795_378_677);
const MILLI: Duration = Duration::from_millis(1);
const GOODBYE: &[u8] = b"goodbye";

struct Scene {
    viewer: Viewer,
    /// Another handle of the server's end.
    near: TcpStream,
    far: TcpStream,
    metrics: Metrics,
}

/// A viewer of so many guilds, of each of which it knows number 1.
fn scene(guilds: usize) -> Scene {
    let metrics = Metrics::default();
    let places = Arc::new(Viewers::new(1, &Limits::default(), metrics.clone()));
    let holder = Holder::Viewer("somebody".into());
    let permits = Permits::new(places.admit(&holder, IpAddr::from(Ipv4Addr::LOCALHOST).into()).unwrap(), metrics.clone());
    let connection_place = Connections::new(1, metrics.clone()).take();
    let (socket, far) = connection();
    let near = socket.try_clone().unwrap();
    let socket = mio::net::TcpStream::from_std(socket);
    let mut viewer = Viewer::new(socket, Framing::UntilClose, UnixMillis(i64::MAX), permits, connection_place);
    let seat = || Seat { guild: GuildKey::default(), at: 0, seq: 1, cause: None, due: START + REFRESH };
    viewer.seats = std::iter::repeat_with(seat).take(guilds).collect();
    Scene { viewer, near, far, metrics }
}

impl Scene {
    /// Reads what is there.
    fn read(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        match self.far.read(&mut bytes) {
            Ok(read) => bytes.truncate(read),
            Err(error) if error.kind() == ErrorKind::WouldBlock => bytes.clear(),
            Err(error) => panic!("{error}"),
        }
        bytes
    }

    /// Reads and lets the viewer go on until so much was read.
    fn read_all(&mut self, length: usize, now: Monotonic) -> Vec<u8> {
        let deadline = Deadline::soon();
        let mut read = Vec::new();
        while read.len() < length {
            read.append(&mut self.read(1024));
            self.viewer.resume(now).unwrap();
            assert!(!deadline.is_over(), "{} bytes of {length}", read.len());
        }
        read
    }

    /// Writes to the viewer until the kernel cuts a frame; returns everything that was written.
    fn cut(&mut self, now: Monotonic) -> Vec<u8> {
        let frame: Vec<u8> = (0..=255).cycle().take(50_000).collect();
        assert!(!self.viewer.is_blocked());
        assert_eq!(self.viewer.write_status(0, 2, &frame, now).unwrap(), Taken::Cut);
        frame
    }
}

fn at(monotonic: Monotonic) -> Now {
    Now { monotonic, wall: UnixMillis(0) }
}

#[test]
fn seats_take_turns_although_one_changes_after_every_write() {
    let mut scene = scene(100);
    for seat in 0..100 {
        scene.viewer.changed(seat, 2, Cause::Time);
    }
    let mut written = Vec::new();
    for number in 3..203 {
        let seat = scene.viewer.next_dirty().unwrap();
        assert_eq!(scene.viewer.write_status(seat, number, b"x", START).unwrap(), Taken::Whole);
        scene.read(1);
        written.push(seat);
        scene.viewer.changed(0, number + 1, Cause::Time);
    }
    assert_eq!(written[..100], (0..100).collect::<Vec<_>>());
    assert!(written[100..].iter().all(|seat| *seat == 0), "nobody else has changed");
}

#[test]
fn a_viewer_is_queued_once_and_only_for_what_it_does_not_know() {
    let mut viewer = scene(2).viewer;
    assert!(!viewer.changed(0, 1, Cause::Time), "it knows that");
    assert_eq!(viewer.next_dirty(), None);
    assert!(viewer.changed(0, 2, Cause::Time));
    assert!(!viewer.changed(0, 3, Cause::Time) && !viewer.changed(1, 2, Cause::Time) && !viewer.repeat(1), "it is queued");
}

#[test]
fn the_first_cause_of_what_was_not_sent_counts_until_it_is_sent() {
    let mut viewer = scene(1).viewer;
    let received = |millis| Cause::Received(Duration::from_millis(millis));
    viewer.changed(0, 2, received(10));
    viewer.changed(0, 3, received(20));
    assert_eq!(viewer.seats[0].cause, Some(received(10)));
    viewer.write_status(0, 3, b"x", START).unwrap();
    assert_eq!((viewer.seats[0].cause, viewer.seats[0].seq, viewer.seats[0].due), (None, 3, START + REFRESH));
    viewer.repeat(0);
    assert_eq!(viewer.seats[0].cause, None, "nothing has changed");
}

#[test]
fn a_cut_frame_goes_on_where_it_was_cut_and_what_changed_meanwhile_comes_behind_it() {
    let mut scene = scene(3);
    let frame = scene.cut(START);
    assert!(scene.viewer.is_blocked() && !scene.viewer.is_open());
    assert!(!scene.viewer.changed(1, 2, Cause::Time), "nobody can write to it");
    assert_eq!(scene.viewer.next_dirty(), None);
    assert_eq!(scene.read_all(frame.len(), START), frame);
    assert!(scene.viewer.is_open() && scene.read(1).is_empty());
    assert_eq!(scene.viewer.overdue(START).collect::<Vec<_>>(), [1], "it has changed");
    assert_eq!(scene.viewer.overdue(START + REFRESH).collect::<Vec<_>>(), [0, 1, 2], "the time of all has come");
    assert_eq!(scene.viewer.next_dirty(), Some(1));
}

#[test]
fn a_viewer_that_takes_nothing_for_30_s_is_gone_and_what_it_takes_begins_them_anew() {
    let mut scene = scene(1);
    let frame = scene.cut(START);
    let verdict = |scene: &Scene, since: Monotonic| scene.viewer.verdict(at(since + STALL));
    assert_eq!(scene.viewer.verdict(at(START + STALL - MILLI)), Verdict::Stays);
    assert_eq!(verdict(&scene, START), Verdict::Gone);
    // Being told that it can take more is not taking it.
    assert!(!scene.viewer.resume(START + MILLI).unwrap());
    assert_eq!(verdict(&scene, START), Verdict::Gone);
    let later = START + Duration::from_secs(20);
    let read = scene.read(400).len();
    let deadline = Deadline::soon();
    while verdict(&scene, START) == Verdict::Gone {
        scene.viewer.resume(later).unwrap();
        assert!(!deadline.is_over(), "it has taken {read} bytes");
    }
    assert!(scene.viewer.is_blocked());
    assert_eq!(scene.viewer.verdict(at(later + STALL - MILLI)), Verdict::Stays);
    assert_eq!(verdict(&scene, later), Verdict::Gone);
    scene.read_all(frame.len() - read, later);
    assert_eq!(verdict(&scene, later), Verdict::Stays, "it has taken everything");
}

#[test]
fn a_goodbye_comes_behind_a_cut_frame_and_nothing_behind_the_goodbye() {
    let mut scene = scene(2);
    let frame = scene.cut(START);
    scene.viewer.changed(1, 2, Cause::Time);
    scene.viewer.leave(GoodbyeReason::Expired, GOODBYE, START).unwrap();
    assert!(!scene.viewer.changed(0, 3, Cause::Time) && !scene.viewer.repeat(1));
    assert_eq!(scene.read_all(frame.len() + GOODBYE.len(), START), [&frame, GOODBYE].concat());
    assert_eq!((scene.viewer.next_dirty(), scene.viewer.is_open()), (None, false));
    let mut rest = [0];
    scene.far.set_nonblocking(false).unwrap();
    assert_eq!(scene.far.read(&mut rest).unwrap(), 0, "the stream has ended");
}

#[test]
fn a_goodbye_of_which_the_kernel_takes_nothing_is_said_when_it_does() {
    let mut scene = scene(1);
    let mut filled = 0;
    while let Ok(written) = scene.near.write(&[b'x'; 100]) {
        filled += written;
    }
    scene.viewer.leave(GoodbyeReason::Shutdown, GOODBYE, START).unwrap();
    assert!(scene.read_all(filled + GOODBYE.len(), START).ends_with(&[b"x", GOODBYE].concat()));
}

#[test]
fn the_place_of_a_stream_is_given_back_with_its_last_byte_and_that_of_its_connection_when_it_closes() {
    let mut scene = scene(1);
    let open = |metrics: &Metrics| (metrics.viewers.get(), metrics.connections.get());
    let frame = scene.cut(START);
    scene.viewer.leave(GoodbyeReason::Expired, GOODBYE, START).unwrap();
    assert_eq!(open(&scene.metrics), (1, 1), "something is left to say");
    scene.read_all(frame.len() + GOODBYE.len(), START);
    assert_eq!(open(&scene.metrics), (0, 1));
    drop(scene.viewer);
    assert_eq!(open(&scene.metrics), (0, 0));
}

#[test]
fn who_was_told_to_leave_has_a_second_for_it() {
    let Scene { mut viewer, far: _far, .. } = scene(1);
    viewer.leave(GoodbyeReason::Expired, GOODBYE, START).unwrap();
    let second = START + Duration::from_secs(1);
    assert_eq!((viewer.next(at(START)), viewer.verdict(at(second - MILLI))), (second, Verdict::Stays));
    assert_eq!(viewer.verdict(at(second)), Verdict::Gone);
}

#[test]
fn a_viewer_is_looked_at_when_the_first_of_what_it_awaits_comes() {
    let mut viewer = scene(2).viewer;
    let secs = Duration::from_secs;
    viewer.seats[0].due = START + secs(10);
    assert_eq!(viewer.next(at(START)), START + secs(10));
    viewer.token = UnixMillis(9000);
    assert_eq!(viewer.next(at(START)), START + secs(9), "the token ends");
    viewer.drained = Some(START + secs(8));
    assert_eq!(viewer.next(at(START)), START + secs(8), "its place in the drain");
    let over = Now { monotonic: START, wall: UnixMillis(9000) };
    assert_eq!(viewer.verdict(over), Verdict::Over(GoodbyeReason::Expired), "whatever the other clock says");
    assert_eq!(viewer.verdict(at(START + secs(8))), Verdict::Over(GoodbyeReason::Shutdown));
    (viewer.token, viewer.drained, viewer.seats[0].due) = (UnixMillis(i64::MAX), None, START + secs(100));
    viewer.seats[1].due = START + secs(100);
    assert_eq!(viewer.next(at(START)), START + REFRESH, "the wall may jump meanwhile");
}
