//! Rows: how what is known stands in the tables of `schema.sql`.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Result, Row, Transaction, params};

use super::Record;
use super::changes::State;
use super::fault::Fault;
use crate::liveness::{Monotonic, StoredGeneration, StoredProcess, StoredShard};
use crate::wire::{DEFAULT_INTERVAL, GuildId, ShardKey, UnixMillis, from_word, word};

/// Appends to the log.
pub(super) fn write_record(tx: &Transaction<'_>, record: &Record) -> Result<()> {
    let Record { at, guild, facts } = record;
    let sql = "INSERT INTO transition (at_ms, boot, seq, shard_count, shard_id, guild_id, healthy, state, reason, version,
               since_ms, expected_back_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    tx.prepare_cached(sql)?.execute(params![
        at.0,
        facts.revision.boot,
        facts.revision.seq,
        facts.shard.map(|key| key.count),
        facts.shard.map(|key| key.id),
        guild.map(|guild| guild.to_string()),
        facts.healthy,
        word(facts.state),
        facts.reason.map(word),
        facts.version.as_deref(),
        facts.since.0,
        facts.expected_back.map(|time| time.0),
    ])?;
    Ok(())
}

/// Writes a shard and, of its processes and exceptions, what differs from before.
pub(super) fn write_shard(tx: &Transaction<'_>, before: Option<&StoredShard>, shard: &StoredShard) -> Result<()> {
    let sql = "REPLACE INTO shard (count, id, state, reason, since_ms, was_ready, expected_back_ms, last_heartbeat_ms,
               version, interval_ms, first_ready_ms, last_ready_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    tx.prepare_cached(sql)?.execute(params![
        shard.key.count,
        shard.key.id,
        word(shard.state),
        shard.reason.map(word),
        shard.since.0,
        shard.was_ready,
        shard.expected_back.map(|time| time.0),
        shard.last_heartbeat.map(|time| time.0),
        shard.version.as_deref(),
        millis(shard.interval),
        shard.first_ready.map(millis),
        shard.last_ready.map(millis),
    ])?;
    let before = before.map_or(&[][..], |before| &before.processes);
    for place in 0..before.len().max(shard.processes.len()) {
        write_process(tx, shard.key, place, before.get(place), shard.processes.get(place))?;
    }
    Ok(())
}

fn write_process(
    tx: &Transaction<'_>,
    ShardKey { id, count }: ShardKey,
    place: usize,
    before: Option<&StoredProcess>,
    process: Option<&StoredProcess>,
) -> Result<()> {
    let exceptions = |process: Option<&StoredProcess>| -> BTreeMap<GuildId, UnixMillis> {
        process.map(|process| process.unavailable.iter().copied().collect()).unwrap_or_default()
    };
    let (old, new) = (exceptions(before), exceptions(process));
    for guild in old.keys().filter(|guild| !new.contains_key(guild)) {
        let sql = "DELETE FROM exception WHERE count = ? AND id = ? AND place = ? AND guild_id = ?";
        tx.prepare_cached(sql)?.execute(params![count, id, place, guild.to_string()])?;
    }
    for (guild, since) in new.iter().filter(|(guild, since)| old.get(guild) != Some(since)) {
        let sql = "REPLACE INTO exception (count, id, place, guild_id, since_ms) VALUES (?, ?, ?, ?, ?)";
        tx.prepare_cached(sql)?.execute(params![count, id, place, guild.to_string(), since.0])?;
    }
    let Some(process) = process else {
        let sql = "DELETE FROM process WHERE count = ? AND id = ? AND place = ?";
        tx.prepare_cached(sql)?.execute(params![count, id, place])?;
        return Ok(());
    };
    let sql = "REPLACE INTO process (count, id, place, instance, session, state, version, interval_ms)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    tx.prepare_cached(sql)?.execute(params![
        count,
        id,
        place,
        process.instance.as_deref(),
        process.session.as_deref(),
        word(process.state),
        process.version.as_deref(),
        millis(process.interval),
    ])?;
    Ok(())
}

/// Writes all generations, and forgets the shards of those that are gone.
pub(super) fn write_generations(tx: &Transaction<'_>, generations: &[StoredGeneration]) -> Result<()> {
    tx.prepare_cached("DELETE FROM generation")?.execute(())?;
    for (place, StoredGeneration { count, counts }) in generations.iter().enumerate() {
        let sql = "INSERT INTO generation (count, place, counts) VALUES (?, ?, ?)";
        tx.prepare_cached(sql)?.execute(params![count, place, counts])?;
    }
    for table in ["exception", "process", "shard"] {
        let sql = format!("DELETE FROM {table} WHERE count NOT IN (SELECT count FROM generation)");
        tx.prepare_cached(&sql)?.execute(())?;
    }
    Ok(())
}

/// Writes the times of last beats, but for those that were overtaken by a write of the whole shard.
pub(super) fn write_seen(tx: &Transaction<'_>, seen: &[(ShardKey, UnixMillis)]) -> Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE shard SET last_heartbeat_ms = max(coalesce(last_heartbeat_ms, ?1), ?1) WHERE count = ?2 AND id = ?3",
    )?;
    for (key, time) in seen {
        update.execute(params![time.0, key.count, key.id])?;
    }
    Ok(())
}

/// Replaces everything but the log and the runs.
pub(super) fn write_all(tx: &Transaction<'_>, state: &State) -> Result<()> {
    for table in ["exception", "process", "shard"] {
        tx.execute(&format!("DELETE FROM {table}"), ())?;
    }
    write_generations(tx, &state.generations)?;
    state.shards.values().try_for_each(|shard| write_shard(tx, None, shard))
}

/// Reads everything but the log and the runs.
pub(super) fn read_all(connection: &Connection) -> Result<State, Fault> {
    let mut state = State::default();
    let mut rows = connection.prepare("SELECT count, counts FROM generation ORDER BY place")?;
    for generation in rows.query_map((), |row| Ok(StoredGeneration { count: row.get(0)?, counts: row.get(1)? }))? {
        state.generations.push(generation?);
    }
    let mut rows = connection.prepare("SELECT * FROM shard")?;
    for shard in rows.query_map((), |row| Ok(read_shard(row)))? {
        let shard = shard??;
        state.shards.insert(shard.key, shard);
    }
    let mut exceptions = read_exceptions(connection)?;
    let mut rows = connection.prepare("SELECT * FROM process ORDER BY count, id, place")?;
    for process in rows.query_map((), |row| Ok(read_process(row)))? {
        let (key, place, mut process) = process??;
        process.unavailable = exceptions.remove(&(key, place)).unwrap_or_default();
        if let Some(shard) = state.shards.get_mut(&key) {
            shard.processes.push(process);
        }
    }
    Ok(state)
}

fn read_shard(row: &Row<'_>) -> Result<StoredShard, Fault> {
    Ok(StoredShard {
        key: read_key(row)?,
        state: read_word(&row.get::<_, String>("state")?)?,
        reason: row.get::<_, Option<String>>("reason")?.as_deref().map(read_word).transpose()?,
        since: UnixMillis(row.get("since_ms")?),
        was_ready: row.get("was_ready")?,
        expected_back: row.get::<_, Option<i64>>("expected_back_ms")?.map(UnixMillis),
        last_heartbeat: row.get::<_, Option<i64>>("last_heartbeat_ms")?.map(UnixMillis),
        version: row.get("version")?,
        interval: read_interval(row)?,
        first_ready: row.get::<_, Option<u64>>("first_ready_ms")?.map(Monotonic::from_millis),
        last_ready: row.get::<_, Option<u64>>("last_ready_ms")?.map(Monotonic::from_millis),
        processes: Vec::new(),
    })
}

fn read_process(row: &Row<'_>) -> Result<(ShardKey, u32, StoredProcess), Fault> {
    let process = StoredProcess {
        instance: row.get("instance")?,
        session: row.get("session")?,
        state: read_word(&row.get::<_, String>("state")?)?,
        version: row.get("version")?,
        interval: read_interval(row)?,
        unavailable: Vec::new(),
    };
    Ok((read_key(row)?, row.get("place")?, process))
}

/// The exceptions of each process, by its shard and its place there.
type Exceptions = BTreeMap<(ShardKey, u32), Vec<(GuildId, UnixMillis)>>;

fn read_exceptions(connection: &Connection) -> Result<Exceptions, Fault> {
    let mut exceptions = Exceptions::new();
    let mut rows = connection.prepare("SELECT * FROM exception")?;
    let mut rows = rows.query(())?;
    while let Some(row) = rows.next()? {
        let guild: String = row.get("guild_id")?;
        let guild = guild.parse().map_err(|_| Fault::Corrupt(format!("{guild:?} is no guild")))?;
        let process = (read_key(row)?, row.get("place")?);
        exceptions.entry(process).or_default().push((guild, UnixMillis(row.get("since_ms")?)));
    }
    exceptions.values_mut().for_each(|guilds| guilds.sort_unstable());
    Ok(exceptions)
}

fn read_key(row: &Row<'_>) -> Result<ShardKey, Fault> {
    let key = ShardKey { id: row.get("id")?, count: row.get("count")? };
    if key.id < key.count { Ok(key) } else { Err(Fault::Corrupt(format!("there is no shard {}/{}", key.id, key.count))) }
}

fn read_interval(row: &Row<'_>) -> Result<Duration, Fault> {
    let interval = Duration::from_millis(row.get("interval_ms")?);
    // The contract's bounds; what is beyond them was not written by us.
    let possible = DEFAULT_INTERVAL / 2..=DEFAULT_INTERVAL * 30;
    if possible.contains(&interval) { Ok(interval) } else { Err(Fault::Corrupt(format!("an interval of {interval:?}"))) }
}

fn read_word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    from_word(text).ok_or_else(|| Fault::Corrupt(format!("{text:?} is no word that is ever written")))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
