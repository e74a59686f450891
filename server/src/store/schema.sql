-- Version 1. Times are Unix milliseconds; guild ids are text, because SQLite's integers are signed.

-- The starts of the server. Downtime of ours is the time between `alive_ms` and the next `started_ms`.
CREATE TABLE run (
  boot INTEGER PRIMARY KEY,
  started_ms INTEGER NOT NULL,
  alive_ms INTEGER NOT NULL,
  ended_ms INTEGER
) STRICT;

-- The transition log: what was said of a shard, or of one guild of it, from `at_ms` on.
CREATE TABLE transition (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  shard_count INTEGER,
  shard_id INTEGER,
  guild_id TEXT,
  healthy INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  version TEXT,
  since_ms INTEGER NOT NULL,
  expected_back_ms INTEGER
) STRICT;

-- What the next run goes on from: generations in the order of their first beats, what was last
-- known of each shard, and who beat for it.
CREATE TABLE generation (
  count INTEGER PRIMARY KEY CHECK (count > 0),
  place INTEGER NOT NULL,
  counts INTEGER NOT NULL
) STRICT;

CREATE TABLE shard (
  count INTEGER NOT NULL CHECK (count > 0),
  id INTEGER NOT NULL CHECK (id >= 0 AND id < count),
  state TEXT NOT NULL,
  reason TEXT,
  since_ms INTEGER NOT NULL,
  was_ready INTEGER NOT NULL,
  expected_back_ms INTEGER,
  last_heartbeat_ms INTEGER,
  version TEXT,
  interval_ms INTEGER NOT NULL,
  first_ready_ms INTEGER,
  last_ready_ms INTEGER,
  PRIMARY KEY (count, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE process (
  count INTEGER NOT NULL,
  id INTEGER NOT NULL,
  place INTEGER NOT NULL,
  instance TEXT,
  session TEXT,
  state TEXT NOT NULL,
  version TEXT,
  interval_ms INTEGER NOT NULL,
  PRIMARY KEY (count, id, place)
) STRICT, WITHOUT ROWID;

-- The guilds that a process reports as unavailable. Of guilds, only these are stored.
CREATE TABLE exception (
  count INTEGER NOT NULL,
  id INTEGER NOT NULL,
  place INTEGER NOT NULL,
  guild_id TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (count, id, place, guild_id)
) STRICT, WITHOUT ROWID;
