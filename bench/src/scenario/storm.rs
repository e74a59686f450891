//! Everybody is cut at once and comes back at once, while a bot of a hundred shards goes on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::Bench;
use crate::beat::{Beat, Connection};
use crate::clock;
use crate::load::{FIRST_GUILD, Load, NEXT_GUILD, Plan, Reads};
use crate::process::Kind;
use crate::table::{Row, Target, Unit};

const VIEWERS: u32 = 10_000;
const SHARDS: u32 = 100;
/// The shortest interval that a bot may keep: a beat is fresh for 2.5 s.
const INTERVAL_MS: u32 = 1_000;
/// The shards take turns, so that each beats once an interval.
const BETWEEN_BEATS: Duration = Duration::from_millis(INTERVAL_MS as u64 / SHARDS as u64);
const VERSIONS: [&str; 2] = ["1.4.2", "1.4.3"];
/// Each shard has beaten at least once.
const ROUND: Duration = Duration::from_millis(2 * INTERVAL_MS as u64);
/// Until a beat that was missed in the storm would show.
const AFTERMATH: Duration = Duration::from_secs(6);
const BACK: Target = Target::Below(2.0);
const NONE: Target = Target::AtMost(0.0);
const TIME: Duration = Duration::from_secs(60);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let bound = bench.bound(TIME);
    let measured = bench.start(Kind::Server, &bound)?;
    let (version, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let bot = scope.spawn(|| beat_on(measured.admin, &version, &over));
        let storm = Load::new(measured.public, &bound).and_then(|load| storm(load, &version));
        over.store(true, Ordering::Relaxed);
        let lost = bot.join().map_err(|_| anyhow!("the bot panicked"))?;
        let (back, wrong) = storm?;
        Ok(vec![
            Row::absolute("storm: 10,000 back", Unit::Seconds, back, BACK),
            Row::absolute("storm: false transitions", Unit::Count, f64::from(wrong), NONE),
            Row::absolute("storm: beats without an answer", Unit::Count, f64::from(lost), NONE),
        ])
    })
}

/// Returns after how many seconds all were back, and how many transitions there should not have
/// been.
fn storm(mut load: Load, version: &AtomicUsize) -> Result<(f64, u32)> {
    load.watch(ROUND)?;
    // A viewer for each shard stays throughout and sees every transition.
    let observers = load.add((0..SHARDS).map(plan))?;
    load.open(observers.clone(), SHARDS as usize)?;
    let viewers = load.add((0..VIEWERS).map(plan))?;
    load.open(viewers.clone(), super::AT_ONCE)?;
    load.watch(ROUND)?;
    let (before, _) = load.seen(observers.clone());

    let begin = clock::now();
    load.cut(viewers.clone());
    // While nobody is there, the bot begins to change its version: who is back has to learn it.
    version.store(1, Ordering::Relaxed);
    load.open(viewers.clone(), VIEWERS as usize)?;
    let back = begin.elapsed();

    load.watch(AFTERMATH)?;
    load.check_revisions()?;
    let (after, online) = load.seen(observers);
    let (_, all_online) = load.seen(viewers);
    // One transition of each shard is the version's.
    let wrong: u32 = before.iter().zip(&after).map(|(before, after)| (after - before).abs_diff(1)).sum();
    Ok((back.as_secs_f64(), wrong + u32::from(!online) + u32::from(!all_online)))
}

fn plan(number: u32) -> Plan {
    let guild = FIRST_GUILD + u64::from(number) * NEXT_GUILD;
    let group = u32::try_from((guild >> 22) % u64::from(SHARDS)).expect("below the count of shards");
    Plan { guild, group, reads: Reads::AtOnce }
}

/// Beats for all shards in turn, each time over a new connection; returns how many beats failed.
fn beat_on(admin: SocketAddr, version: &AtomicUsize, over: &AtomicBool) -> u32 {
    let mut lost = 0;
    for shard in (0..SHARDS).cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let next = clock::now() + BETWEEN_BEATS;
        let beat = Beat {
            instance: shard as usize,
            seq: None,
            version: VERSIONS[version.load(Ordering::Relaxed)],
            interval_ms: INTERVAL_MS,
            shards: shard..shard + 1,
            count: SHARDS,
        };
        let sent = Connection::open(admin).and_then(|mut connection| {
            connection.send(&beat)?;
            connection.settle(&beat)
        });
        lost += u32::from(sent.is_err());
        thread::sleep(next.saturating_duration_since(clock::now()));
    }
    lost
}
