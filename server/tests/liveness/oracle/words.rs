//! Beats and goodbyes: which of them count, and what they say.

use std::time::Duration;

use guildpulse::wire::{Beat, GatewayState, Goodbye, GuildId, Name, Reason, ShardKey, ShardReport};

use super::Oracle;
use super::routes::Generation;
use super::shard::{Maintenance, Process, Shard};
use super::tables;

/// One run of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    instance: Option<Name>,
    name: Name,
    /// The highest number among its beats.
    seq: Option<u64>,
    /// Where it was heard, in the order of its first beats there.
    pub(crate) heard: Vec<(ShardKey, usize)>,
    /// Where a goodbye ended it.
    over: Over,
    last_word: Duration,
}

#[derive(Debug, Clone)]
enum Over {
    On(Vec<ShardKey>),
    Everywhere,
}

impl Session {
    /// The reading "Sequence".
    pub(crate) fn forgotten_at(&self) -> Duration {
        self.last_word + tables::MEMORY
    }

    fn is_over(&self, key: ShardKey) -> bool {
        match &self.over {
            Over::On(keys) => keys.contains(&key),
            Over::Everywhere => true,
        }
    }

    fn end(&mut self, shards: Option<&[ShardKey]>) {
        match (&mut self.over, shards) {
            (over, None) => *over = Over::Everywhere,
            (Over::On(keys), Some(shards)) => keys.extend(shards),
            (Over::Everywhere, Some(_)) => {}
        }
    }

    /// With which input it was first heard anywhere.
    pub(crate) fn first_heard(&self) -> Option<usize> {
        self.heard.iter().map(|(_, step)| *step).min()
    }

    pub(crate) fn came_to(&self, key: ShardKey) -> Option<usize> {
        self.heard.iter().find(|(heard, _)| *heard == key).map(|(_, step)| *step)
    }
}

impl Oracle {
    /// What a beat says, shard by shard and then of guilds (the reading "Exceptions").
    pub(crate) fn beat(&mut self, beat: &Beat) -> usize {
        let time = self.now.monotonic;
        if let Some(known) = self.known_mut(beat.instance.as_ref(), beat.session.as_ref()) {
            // An ignored beat is a word, too.
            known.last_word = time;
        }
        let known = self.session(beat.instance.as_ref(), beat.session.as_ref());
        let old = known.is_some_and(|session| beat.seq.is_some() && beat.seq <= session.seq);
        if let Some(known) = self.known_mut(beat.instance.as_ref(), beat.session.as_ref()) {
            // It was heard, for whichever shards it counts.
            known.seq = beat.seq.max(known.seq);
        }
        let counts = |report: &&ShardReport| !old && !self.is_late(beat, report.key);
        let reports: Vec<ShardReport> = beat.shards.iter().filter(counts).cloned().collect();
        for report in &reports {
            self.hear(beat, report);
        }
        if !reports.is_empty() {
            self.remember(beat, &reports);
            self.note_guilds(beat);
        }
        reports.len()
    }

    /// Section 2.3: a goodbye ends the session. The readings "Processes" and "Sequence": a newer
    /// session whose beat is fresh does, too, for that shard.
    fn is_late(&self, beat: &Beat, key: ShardKey) -> bool {
        let Some(session) = self.session(beat.instance.as_ref(), beat.session.as_ref()) else { return false };
        if session.is_over(key) {
            return true;
        }
        let processes = self.shards().filter(|shard| shard.key == key).flat_map(|shard| &shard.present);
        let mut newer = processes.filter(|process| process.is(beat.instance.as_ref(), beat.session.as_ref()));
        newer.any(|process| {
            let current = self.session(process.instance.as_ref(), process.session.as_ref());
            current.and_then(|current| current.came_to(key)) > session.came_to(key) && session.came_to(key).is_some()
        })
    }

    /// One shard of a beat.
    fn hear(&mut self, beat: &Beat, report: &ShardReport) {
        let (now, step) = (self.now, self.step);
        let generation = self.generation(report.key.count);
        generation.last_beat = now.monotonic;
        let shard = generation.shard(report.key);
        shard.last_heartbeat = Some(now.wall);
        shard.interval = beat.interval;
        shard.blind = None;

        let process = Process {
            instance: beat.instance.clone(),
            session: beat.session.clone(),
            first: step,
            gateway: report.state,
            deaf: report.ack_age_ms.is_some_and(|age| age > tables::DEAF_AFTER_MS),
            version: beat.version.clone(),
            interval: beat.interval,
            deadline: now.monotonic + tables::freshness(beat.interval),
            last_beat: Some(now.wall),
            unavailable: Vec::new(),
        };
        let (instance, session) = (beat.instance.as_ref(), beat.session.as_ref());
        let place = shard.present.iter().position(|process| process.is(instance, session));
        let before = place.map(|place| shard.present.remove(place));
        let before = before.filter(|before| before.session == beat.session);
        if report.state == GatewayState::Fatal {
            if shard.present.is_empty() {
                shard.fall(Reason::Fatal);
            }
            return;
        }
        shard.present.push(match before {
            Some(before) => {
                shard.turned = step;
                let anew = matches!(report.state, GatewayState::Starting | GatewayState::Identifying);
                let ended = anew && report.state != before.gateway;
                let unavailable = if ended { Vec::new() } else { before.unavailable };
                Process { first: before.first, version: process.version.or(before.version), unavailable, ..process }
            }
            None => process,
        });
    }

    /// The session's number, and where it was heard.
    fn remember(&mut self, beat: &Beat, reports: &[ShardReport]) {
        let (now, step) = (self.now, self.step);
        let Some(session) = self.session_mut(beat.instance.as_ref(), beat.session.as_ref()) else { return };
        session.last_word = now.monotonic;
        session.seq = beat.seq.max(session.seq);
        for report in reports {
            if session.came_to(report.key).is_none() {
                session.heard.push((report.key, step));
            }
        }
    }

    /// Rule 7: `available`, then `unavailable`, on the shards that the process runs.
    fn note_guilds(&mut self, beat: &Beat) {
        let theirs = |process: &Process| process.instance == beat.instance && process.session == beat.session;
        for shard in self.shards_mut().filter(|shard| shard.present.iter().any(theirs)) {
            for process in &mut shard.present {
                process.unavailable.retain(|guild| !beat.available.contains(guild));
            }
            for process in shard.present.iter_mut().filter(|process| theirs(process)) {
                let carried = beat.unavailable.iter().filter(|guild| shard.key.carries(**guild));
                let new: Vec<GuildId> = carried.filter(|guild| !process.unavailable.contains(guild)).copied().collect();
                process.unavailable.extend(new);
            }
        }
    }

    /// A goodbye takes its processes off its shards.
    pub(crate) fn goodbye(&mut self, goodbye: &Goodbye) -> usize {
        let now = self.now;
        let said_by = |process: &Process| {
            process.instance == goodbye.instance && (goodbye.session.is_none() || process.session == goodbye.session)
        };
        let mut accepted = 0;
        for shard in self.shards_mut() {
            let named = goodbye.shards.as_ref().is_none_or(|keys| keys.contains(&shard.key));
            if !named || !shard.present.iter().any(said_by) {
                continue;
            }
            accepted += 1;
            shard.blind = None;
            shard.present.retain(|process| !said_by(process));
            if shard.present.is_empty() {
                shard.fall(Reason::Goodbye);
                shard.maintenance = goodbye
                    .expected_back
                    .map(|back| Maintenance { shown: now.wall.saturating_add(back), end: now.monotonic + back });
            }
        }
        self.end_sessions(goodbye);
        accepted
    }

    /// The reading "Sequence".
    fn end_sessions(&mut self, goodbye: &Goodbye) {
        let (now, shards) = (self.now, goodbye.shards.as_deref());
        // A session that we did not know is ended, too.
        self.session_mut(goodbye.instance.as_ref(), goodbye.session.as_ref());
        for session in self.sessions.iter_mut().filter(|session| session.instance == goodbye.instance) {
            if goodbye.session.is_none() || goodbye.session.as_ref() == Some(&session.name) {
                session.end(shards);
                session.last_word = now.monotonic;
            }
        }
    }

    pub(crate) fn session(&self, instance: Option<&Name>, session: Option<&Name>) -> Option<&Session> {
        let name = session?;
        let mut known = self.sessions.iter().filter(|known| known.forgotten_at() > self.now.monotonic);
        known.find(|known| known.instance.as_ref() == instance && known.name == *name)
    }

    pub(crate) fn sessions_of(&self, instance: Option<&Name>) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.instance.as_ref() == instance)
    }

    fn known_mut(&mut self, instance: Option<&Name>, session: Option<&Name>) -> Option<&mut Session> {
        self.session(instance, session)?;
        self.session_mut(instance, session)
    }

    /// The session, from now on known; `None` for a word without one.
    pub(crate) fn session_mut(&mut self, instance: Option<&Name>, session: Option<&Name>) -> Option<&mut Session> {
        let name = session?;
        let now = self.now.monotonic;
        let same = |known: &Session| known.instance.as_ref() == instance && known.name == *name;
        self.sessions.retain(|known| !same(known) || known.forgotten_at() > now);
        let place = self.sessions.iter().position(same);
        let place = place.unwrap_or_else(|| {
            self.sessions.push(Session {
                instance: instance.cloned(),
                name: name.clone(),
                seq: None,
                heard: Vec::new(),
                over: Over::On(Vec::new()),
                last_word: now,
            });
            self.sessions.len() - 1
        });
        self.sessions.get_mut(place)
    }

    /// The generation, from now on known.
    fn generation(&mut self, count: u32) -> &mut Generation {
        let place = self.generations.iter().position(|generation| generation.count == count).unwrap_or_else(|| {
            self.generations.push(Generation { count, last_beat: Duration::ZERO, counts: false, shards: Vec::new() });
            self.generations.len() - 1
        });
        &mut self.generations[place]
    }
}

impl Generation {
    /// The shard, from now on known.
    fn shard(&mut self, key: ShardKey) -> &mut Shard {
        let place = self.shards.iter().position(|shard| shard.key == key).unwrap_or_else(|| {
            self.shards.push(Shard::new(key));
            self.shards.len() - 1
        });
        &mut self.shards[place]
    }
}
