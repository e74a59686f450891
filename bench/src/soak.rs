//! Millions of viewers come and go: does the server keep anything of them, or tell one of them what is
//! not so?
//!
//! A soak is a row of cycles, each with everything that viewers do. When all have left, after so many
//! joins and again after many more, memory and descriptors are looked at: what is more by then was kept of
//! somebody who is gone.

mod bot;
mod look;
mod visitors;

use std::fmt::Display;
use std::io::{Write, stderr};
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::clock::{self, Bound};
use crate::load::{Fault, Load, Reads, Story};
use crate::process::{Kind, Measured};
use crate::scenario::Bench;
use crate::table::{Row, Table, Target, Unit};
use bot::{Bot, Pace};
use look::Look;
use visitors::{SHARDS, plan, visitors};

/// Between their first packet and their first status: more than are ever accepted at once, and fewer than
/// the backlog.
const AT_ONCE: usize = 400;
/// How many visitors there are at most in the churn.
const PLACES: u32 = 4_000;
/// They stay for a whole cycle and see every transition.
const RESIDENTS: u32 = 100;
const STALLED: u32 = 100;
/// More than the kernel takes for somebody who does not read.
const CHANGES_OF_A_STALL: u64 = 120;
/// What fills up in the beginning is not kept of viewers: the caches of the store, which looks after itself
/// for the first time after 10 s.
const WARM_UP: Duration = Duration::from_secs(11);
/// Between two looks at how far the bot is.
const STEP: Duration = Duration::from_millis(5);
/// Longer than the bot takes to notice that it is to change nothing.
const SETTLES: Duration = Duration::from_millis(100);
/// Everything of one cycle has to be over by then; most take a few seconds.
const CYCLE_TIME: Duration = Duration::from_secs(120);

/// How long a soak is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// After how many joins memory and descriptors are looked at.
    looks: [u64; 2],
    /// How many joins of each cycle are churn.
    churn: u64,
    /// How many are cut at once, and come back at once, in each cycle.
    storm: u32,
    /// How much more memory there may be at the second look.
    growth_kib: f64,
    time: Duration,
}

impl Length {
    /// Five million joins.
    pub(crate) const FULL: Self = Self {
        looks: [1_000_000, 5_000_000],
        churn: 40_000,
        storm: 4_000,
        growth_kib: 1536.0,
        time: Duration::from_secs(60 * 60),
    };
    /// What a test has time for.
    pub(crate) const SHORT: Self =
        Self { looks: [15_000, 40_000], churn: 4_000, storm: 500, growth_kib: 2048.0, time: Duration::from_secs(5 * 60) };
}

/// Runs a soak. A table that says what viewers were told wrong is a result; an error is none.
pub(crate) fn run(bench: &Bench, length: Length) -> Result<Table> {
    let bound = bench.bound(length.time);
    let measured = bench.start(Kind::Server, &bound)?;
    let mut soak = Soak { bench, measured, length, bound, begin: clock::now(), joins: 0, visitors: 0, statuses: 0 };
    let mut table = Table::default();
    match soak.run() {
        Ok(rows) => table.add(rows),
        Err(error) if error.is::<Fault>() => {
            say(format!("after {} joins: {error:#}", number(soak.joins)));
            table.add(vec![Row::absolute("what viewers were told wrong", Unit::Count, 1.0, Target::AtMost(0.0))]);
        }
        Err(error) => {
            say(format!("after {} joins, the soak could not go on: {error:#}", number(soak.joins)));
            table.fail("soak");
        }
    }
    Ok(table)
}

#[derive(Debug)]
struct Soak<'a> {
    bench: &'a Bench,
    measured: Measured,
    length: Length,
    bound: Bound,
    begin: Instant,
    joins: u64,
    /// How many viewers there were, whether they waited for a status or not.
    visitors: usize,
    statuses: u64,
}

impl Soak<'_> {
    fn run(&mut self) -> Result<Vec<Row>> {
        self.warm_up()?;
        let mut looks = Vec::new();
        for joins in self.length.looks {
            while self.joins < joins {
                self.cycle()?;
            }
            let look = look::when_all_have_left(&self.measured, &self.bound)?;
            say(format!("everybody has left: {look}"));
            looks.push((self.joins, look));
        }
        Ok(self.rows(&looks))
    }

    /// The bot changes again and again while nobody is there.
    fn warm_up(&mut self) -> Result<()> {
        let (story, admin) = (Arc::new(Story::new(SHARDS)), self.measured.admin);
        let bot = Bot::new(story.clone());
        bot.set(Pace::Hasty);
        say(format!("the bot changes for {} s while nobody is there", WARM_UP.as_secs()));
        thread::scope(|scope| {
            let beats = scope.spawn(|| bot.beat_on(admin));
            let mut nobody = Load::new(self.measured.public, &self.bound)?;
            let waited = nobody.watch(WARM_UP);
            bot.stop();
            beats.join().map_err(|_| anyhow!("the bot panicked"))??;
            say(format!("it has changed {} times", number(story.acknowledged())));
            self.begin = clock::now();
            waited
        })
    }

    fn rows(&self, looks: &[(u64, Look)]) -> Vec<Row> {
        let mut rows = vec![
            Row::absolute("joins", Unit::Count, self.joins as f64, Target::AtLeast(self.length.looks[1] as f64)),
            Row::figure("joins in a second, all in all", Unit::PerSecond, self.rate()),
            Row::figure("visits that ended before a status", Unit::Count, self.visitors as f64 - self.joins as f64),
            Row::figure("statuses that were checked", Unit::Count, self.statuses as f64),
            Row::absolute("what viewers were told wrong", Unit::Count, 0.0, Target::AtMost(0.0)),
        ];
        for (joins, look) in looks {
            rows.push(Row::figure(format!("memory after {} joins", number(*joins)), Unit::Kib, look.memory));
            rows.push(Row::figure(
                format!("descriptors after {} joins", number(*joins)),
                Unit::Count,
                look.descriptors as f64,
            ));
        }
        if let [(_, first), (_, last)] = looks {
            let growth = Target::AtMost(self.length.growth_kib);
            rows.push(Row::absolute("growth of memory", Unit::Kib, last.memory - first.memory, growth));
            let more = last.descriptors as f64 - first.descriptors as f64;
            rows.push(Row::absolute("growth of descriptors", Unit::Count, more, Target::AtMost(0.0)));
            let ghosts = (first.ghosts + last.ghosts) as f64;
            rows.push(Row::absolute("who has left and still counts", Unit::Count, ghosts, Target::AtMost(0.0)));
        }
        rows
    }

    fn rate(&self) -> f64 {
        self.joins as f64 / self.begin.elapsed().as_secs_f64()
    }

    /// One round of everything. The bot goes on all the while, and everybody leaves at the end.
    fn cycle(&mut self) -> Result<()> {
        self.bound.check()?;
        let bound = self.bench.bound(CYCLE_TIME);
        let story = Arc::new(Story::new(SHARDS));
        let bot = Bot::new(story.clone());
        let admin = self.measured.admin;
        thread::scope(|scope| {
            let beats = scope.spawn(|| bot.beat_on(admin));
            let told = Load::hearing(story.clone(), self.measured.public, &bound).and_then(|mut load| {
                while story.acknowledged() == 0 && !beats.is_finished() {
                    load.watch(STEP)?;
                }
                let told = self.tell(&mut load, &story, &bot);
                self.joins += load.joins();
                self.statuses += load.take_tally()?.statuses;
                told
            });
            bot.stop();
            let beats = beats.join().map_err(|_| anyhow!("the bot panicked"))?;
            // If the bot got no answers, what viewers lack is not theirs.
            beats?;
            say(told?);
            Ok(())
        })
    }

    fn tell(&mut self, load: &mut Load, story: &Story, bot: &Bot) -> Result<String> {
        let residents = self.add(load, RESIDENTS, Reads::AtOnce)?;
        load.open(residents, AT_ONCE)?;

        let places = self.add(load, PLACES, Reads::AtOnce)?;
        let mut come = visitors(self.visitors);
        load.churn(places, AT_ONCE as u64, self.length.churn, &mut come)?;
        self.visitors = come.next().map_or(0, |(number, _)| number);

        self.stall(load, story, bot)?;

        let viewers = self.add(load, self.length.storm, Reads::AtOnce)?;
        load.open(viewers.clone(), AT_ONCE)?;
        load.cut(viewers.clone());
        let back = load.open(viewers, self.length.storm as usize)?;
        self.visitors += self.length.storm as usize;

        Self::settle(load, story, bot)?;
        load.converge(story.sent())?;
        load.check_revisions()?;
        let (memory, descriptors) = (self.measured.memory()? / 1024.0, self.measured.descriptors()?);
        let joins = self.joins + load.joins();
        Ok(format!(
            "{:>9} of {} joins, {:.0} in a second; {} viewers cut at once were back in {:.2} s; \
             the server has {memory:.1} MiB and {descriptors} descriptors",
            number(joins),
            number(self.length.looks[1]),
            joins as f64 / self.begin.elapsed().as_secs_f64(),
            number(self.length.storm.into()),
            back.as_secs_f64(),
        ))
    }

    /// Some stop reading while statuses go on; half of them read on later, and half leave as they are.
    fn stall(&mut self, load: &mut Load, story: &Story, bot: &Bot) -> Result<()> {
        let stalled = self.add(load, STALLED, Reads::OnlyTheFirst)?;
        load.open(stalled.clone(), AT_ONCE)?;
        let begin = story.sent();
        bot.set(Pace::Hasty);
        while story.sent() < begin + CHANGES_OF_A_STALL {
            load.watch(STEP)?;
        }
        // No later change may help those who read on to the newest status.
        Self::settle(load, story, bot)?;
        let middle = stalled.start + stalled.len() / 2;
        load.resume(stalled.start..middle)?;
        load.converge(story.sent())?;
        let (seen, _) = load.seen(stalled.start..middle);
        let most = seen.into_iter().max().unwrap_or_default();
        ensure!(u64::from(most) < CHANGES_OF_A_STALL, "nobody was stalled: one got {most} statuses");
        load.cut(stalled);
        bot.set(Pace::Calm);
        Ok(())
    }

    /// From now on nothing changes, and the server knows everything.
    fn settle(load: &mut Load, story: &Story, bot: &Bot) -> Result<()> {
        bot.set(Pace::Still);
        // It may have looked at its pace just before, and be about to send a change.
        load.watch(SETTLES)?;
        while story.acknowledged() < story.sent() {
            load.watch(STEP)?;
        }
        Ok(())
    }

    fn add(&mut self, load: &mut Load, count: u32, reads: Reads) -> Result<Range<usize>> {
        let first = self.visitors;
        self.visitors += count as usize;
        load.add((first..self.visitors).map(|number| plan(number, reads)))
    }
}

/// Tells whoever waits how it goes.
fn say(what: impl Display) {
    // Where nobody reads standard error, the table has to do.
    writeln!(stderr(), "{what}").ok();
}

/// With commas between thousands.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!([0, 999, 1_000, 5_000_000].map(number), ["0", "999", "1,000", "5,000,000"]);
    }

    #[test]
    fn both_soaks_look_after_whole_cycles_and_the_full_one_after_five_million_joins() {
        assert_eq!(Length::FULL.looks, [1_000_000, 5_000_000]);
        for Length { looks: [first, last], churn, storm, .. } in [Length::FULL, Length::SHORT] {
            assert!(churn + 2 * u64::from(storm) <= first && first < last);
        }
    }
}
