//! Viewers that do not read.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use crate::support::server::{in_an_hour, operator_until};
use crate::support::{SOON, Server, Viewer, alone, beat_of, eventually, guild, open, read_until, stream_of};

/// A version as long as it may be, which JSON makes six times as long: few statuses fill a buffer.
fn long(round: usize) -> String {
    format!("{round:0>8}{}", "\u{1}".repeat(120))
}

/// One change of the only shard after the other, which those who read all get.
struct Rounds {
    readers: Vec<Viewer>,
    count: u32,
    last: usize,
}

impl Rounds {
    async fn next(&mut self, server: &Server) {
        self.last += 1;
        let version = long(self.last);
        server.beat(&beat_of(self.count, &version)).await;
        self.readers = read_until(std::mem::take(&mut self.readers), SOON, move |viewer| viewer.is_at(&version)).await;
    }

    /// Goes on until only those who read are written to.
    async fn until_the_others_are_stalled(&mut self, server: &Server) {
        let deadline = Instant::now() + SOON * 2;
        loop {
            let before = server.metric("guildpulse_deliveries_total").await;
            for _ in 0..5 {
                self.next(server).await;
            }
            let delivered = server.metric("guildpulse_deliveries_total").await - before;
            if delivered == 5 * self.readers.len() as u64 {
                return;
            }
            assert!(Instant::now() < deadline, "they never stall");
        }
    }

    fn every_reader_got_each_once(&self) {
        for reader in &self.readers {
            assert_eq!((reader.times(), reader.again()), (1 + self.last, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_do_not_read_cost_nobody_anything_get_the_newest_status_if_they_read_and_are_cut_after_30_s() {
    let alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(1, "0")).await;
    let token = operator_until(in_an_hour());
    let readers = open(server.addr, (0..500).map(|number| stream_of(guild(0, number))), &token).await;
    let began = Instant::now();
    let mut late = open(server.addr, (500..1000).map(|number| stream_of(guild(0, number))), &token).await;
    let mut rounds = Rounds { readers, count: 1, last: 0 };
    rounds.until_the_others_are_stalled(&server).await;
    let all_stalled = Instant::now();

    let (memory, delivered) = (server.memory(), server.metric("guildpulse_deliveries_total").await);
    for _ in 0..100 {
        rounds.next(&server).await;
    }
    rounds.every_reader_got_each_once();
    assert_eq!(server.metric("guildpulse_deliveries_total").await - delivered, 100 * 500, "and the others were left alone");
    // If these statuses waited for those who do not read, they would be 50 MiB.
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 4 * 1024, "100 statuses for 500 stalled viewers took {grown} KiB");

    let dead = late.split_off(250);
    let newest = long(rounds.last);
    let late = read_until(late, SOON, move |viewer| viewer.is_at(&newest)).await;
    for viewer in &late {
        assert!(viewer.times() < rounds.last - 50, "{} statuses of {} were kept", viewer.times(), rounds.last);
        assert_eq!(viewer.again(), 0);
    }
    let statuses = |viewers: &[Viewer]| viewers.iter().map(Viewer::times).sum::<usize>();
    let before = statuses(&late);
    server.beat(&beat_of(1, "on")).await;
    let late = read_until(late, SOON, |viewer| viewer.is_at("on")).await;
    assert_eq!(statuses(&late) - before, late.len(), "and then each once more");
    server.is_well();
    // Until they are cut, others may use the machine.
    drop(alone);

    let patience = Duration::from_secs(30);
    while server.closed("viewer").await == 0 {
        assert!(all_stalled.elapsed() < patience * 2, "nobody is cut");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() >= patience, "the first is cut after {:?}", began.elapsed());
    eventually("those who never read are cut", SOON, async || server.closed("viewer").await == 250).await;
    assert!(all_stalled.elapsed() < patience + SOON, "the last is cut after {:?}", all_stalled.elapsed());
    drop(dead);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_leave_while_a_frame_is_cut_leave_nothing_behind() {
    let _alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(1, "0")).await;
    let token = operator_until(in_an_hour());
    let readers = open(server.addr, (0..20).map(|number| stream_of(guild(0, number))), &token).await;
    let (places, sockets) = (server.places().await, server.sockets());
    let mut rounds = Rounds { readers, count: 1, last: 0 };
    for turn in 1..=2 {
        // Guilds of their own, and those of others.
        let mut stalled = open(server.addr, (10..110).map(|number| stream_of(guild(0, number))), &token).await;
        rounds.until_the_others_are_stalled(&server).await;
        for viewer in stalled.drain(50..) {
            SockRef::from(&viewer.socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
        for viewer in &mut stalled {
            viewer.socket.shutdown().await.unwrap();
        }
        let gone = async || server.closed("viewer").await == 100 * turn && server.places().await == places;
        eventually("they have left", SOON, gone).await;
        eventually("no socket is left", SOON, async || server.sockets() == sockets).await;
        rounds.next(&server).await;
        rounds.every_reader_got_each_once();
    }
    server.is_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_of_a_hundred_guilds_that_does_not_read_gets_the_newest_status_of_each_once() {
    const GUILDS: usize = 100;
    let _alone = alone().await;
    let mut server = Server::start().await;
    server.beat(&beat_of(100, "0")).await;
    let token = operator_until(in_an_hour());
    let guilds: Vec<_> = (0..100).map(|shard| guild(shard, 0).to_string()).collect();
    let path = format!("/api/v1/streams?guilds={}", guilds.join(","));
    let mut stalled = Viewer::open(server.addr, &path, &token, GUILDS).await;
    let readers = open(server.addr, [stream_of(guild(0, 0))], &token).await;
    let mut rounds = Rounds { readers, count: 100, last: 0 };
    rounds.until_the_others_are_stalled(&server).await;
    for _ in 0..20 {
        rounds.next(&server).await;
    }
    let newest = long(rounds.last);
    let shown = newest.clone();
    [stalled] = read_until(vec![stalled], SOON, move |viewer| viewer.is_at(&shown)).await.try_into().ok().unwrap();
    // The first, the newest, and what lay in the buffers of the kernel: 4 KiB on this side, 64 KiB on the other.
    let (times, again) = (stalled.times(), stalled.again());
    assert!(times < 2 * GUILDS + 200, "{times} statuses");
    assert_eq!(again, 0, "none was sent twice");
    server.beat(&beat_of(100, "on")).await;
    [stalled] = read_until(vec![stalled], SOON, |viewer| viewer.is_at("on")).await.try_into().ok().unwrap();
    assert_eq!((stalled.times() - times, stalled.again()), (GUILDS, 0), "and then each once more");
    server.is_well();
}
