//! A hundred `kill -9` at random moments, under more than a thousand transitions per second.

mod bot;
mod probe;
mod watcher;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::database::Database;
use crate::support::{Place, SOON, now_ms, say};
use bot::Bot;
use probe::{Probe, Stalls};
use watcher::Watcher;

const RUNS: usize = 100;
/// What a kill may cost, beside what the machine held up everybody.
const AT_STAKE: Duration = Duration::from_millis(50);
/// The least load, in transitions per second.
const LOAD: f64 = 1000.0;
/// Replays the moments of an earlier run.
const SEED: &str = "GUILDPULSE_FAULTS_SEED";

/// One run of the server.
struct Run {
    spawned: Instant,
    /// The same by the wall clock, in milliseconds.
    spawned_ms: i64,
    ready: Option<Instant>,
    killed: Instant,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_cost_at_most_50_ms_of_the_log_each_and_nobody_sees_a_false_offline() {
    let seed = std::env::var(SEED).map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    say(&format!("kills: {SEED}={seed}"));
    let place = Arc::new(Place::new());
    let (mut spawned, mut spawned_ms) = (Instant::now(), now_ms());
    let mut server = place.start().await;
    let bots = Bot::all(&place);
    // What happens when the bot is heard for the first time is no matter of restarts.
    for bot in &bots {
        bot.beat(1).await.unwrap();
    }
    let watcher = Arc::new(Watcher::new(place.clone()));
    let probe = Probe::start(place.folder.path());
    let mut tasks = JoinSet::new();
    for bot in bots.clone() {
        tasks.spawn(async move { bot.run().await });
    }
    for stream in 0..watcher::STREAMS {
        let watcher = watcher.clone();
        tasks.spawn(async move { watcher.run(stream).await });
    }

    let mut random = StdRng::seed_from_u64(seed);
    let (mut runs, mut checks, mut ready) = (Vec::new(), JoinSet::new(), Some(Instant::now()));
    while runs.len() < RUNS {
        // One in five is hit while it starts.
        let moment = if ready.is_some() { 250..650 } else { 0..80 };
        sleep(Duration::from_millis(random.random_range(moment))).await;
        runs.push(Run { spawned, spawned_ms, ready, killed: Instant::now() });
        server.kill().await;
        let left = Database::copy(&place.file());
        checks.spawn_blocking(move || assert!(left.is_sound(), "damaged by a kill; {SEED}={seed}"));
        (spawned, spawned_ms) = (Instant::now(), now_ms());
        server = place.spawn();
        ready = None;
        if random.random_range(0..5) > 0 || runs.len() == RUNS {
            place.ready_within(SOON).await;
            ready = Some(Instant::now());
        }
        assert!(watcher.accusations().is_empty(), "{SEED}={seed}: {:#?}", watcher.accusations());
    }
    watcher.has_everybody_online().await;
    tasks.shutdown().await;
    server.stop().await;
    while let Some(check) = checks.join_next().await {
        check.unwrap();
    }
    assert!(place.set_aside().is_empty(), "set aside as corrupt: {}", place.log());
    assert!(place.lines("ERROR").is_empty(), "{}", place.log());
    judge(&runs, &bots, &watcher, &place.database(), &probe.stop(), seed);
}

/// Compares the log with what was answered and seen, and all times with their bounds.
fn judge(runs: &[Run], bots: &[Bot], watcher: &Watcher, database: &Database, stalls: &Stalls, seed: u64) {
    let mut rows = database.connection.prepare("SELECT boot, seq FROM transition").unwrap();
    let logged = rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let logged: HashSet<(u64, u64)> = logged.map(Result::unwrap).collect();
    let mut rows = database.connection.prepare("SELECT version, count(*) FROM transition GROUP BY version").unwrap();
    let versions = rows.query_map((), |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?))).unwrap();
    let versions: HashSet<(Option<String>, i64)> = versions.map(Result::unwrap).collect();

    // How long before the end of its run something happened, less what the machine held up then,
    // which run that was, and how long after its start. What arrived when the server was dead
    // already says nothing.
    let held_up: Vec<Duration> = runs.iter().map(|run| stalls.before(run.killed)).collect();
    let age = |number: usize, at: Instant| {
        let run = &runs[number];
        let age = || (run.killed - at).saturating_sub(held_up[number]);
        (at <= run.killed).then(|| (age(), number, at.saturating_duration_since(run.spawned)))
    };
    let answered = bots.iter().flat_map(Bot::answered);
    let unlogged = answered.filter(|(_, _, version, shards)| !versions.contains(&(Some(version.clone()), *shards)));
    // The run to which a beat was sent has answered it.
    let run_at = |sent: Instant| runs.iter().position(|run| (run.spawned..=run.killed).contains(&sent));
    let beats: Vec<_> = unlogged.filter_map(|(sent, at, ..)| age(run_at(sent)?, at)).collect();
    let seen = watcher.seen();
    let unseen = seen.iter().filter(|(_, revision)| !logged.contains(revision));
    // A revision names its run; what was read late is not the next run's.
    let boots = database.boots();
    let run_of = |boot: u64| {
        let started_ms = boots.iter().find(|(known, _)| *known == boot)?.1;
        runs.iter().rposition(|run| run.spawned_ms <= started_ms)
    };
    let statuses: Vec<_> = unseen.filter_map(|(at, (boot, _))| age(run_of(*boot)?, *at)).collect();
    let (oldest, number, into) = beats.iter().chain(&statuses).max().copied().unwrap_or_default();

    let running: Duration = runs.iter().map(|run| run.killed - run.ready.unwrap_or(run.spawned)).sum();
    let transitions = i32::try_from(logged.len()).unwrap();
    let rate = f64::from(transitions) / running.as_secs_f64();
    let restarts = runs.windows(2).filter_map(|pair| Some(pair[1].ready? - pair[0].killed));
    let slowest = restarts.max().unwrap_or_default();
    say(&format!(
        "kills: {transitions} transitions in {running:.1?} of running, {rate:.0} per second; {} statuses seen; \
         not in the log: {} answered beats and {} seen statuses, the oldest {oldest:?} before its kill \
         (run {number}, {into:?} into it), beside the {:?} that the machine held up a write; \
         {} runs killed while starting; slowest restart {slowest:?}",
        seen.len(),
        beats.len(),
        statuses.len(),
        held_up[number],
        runs.iter().filter(|run| run.ready.is_none()).count(),
    ));
    assert!(oldest <= AT_STAKE, "{oldest:?} of the log are missing; {SEED}={seed}");
    assert!(rate >= LOAD, "{rate:.0} transitions per second");
    assert!(slowest < Duration::from_secs(1), "{slowest:?} from a kill to readiness");
}
