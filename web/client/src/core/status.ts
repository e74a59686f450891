/** What guildpulse says of a bot in one guild (PROTOCOL.md, "The status"), and how it is read. */

/** What a bot is in a guild. */
export type GuildState = 'online' | 'reconnecting' | 'offline' | 'maintenance' | 'unavailable' | 'unknown'

/** Why it is that. A server that is newer than this package may know more words. */
export type StatusReason =
  | 'never_seen'
  | 'heartbeat_timeout'
  | 'goodbye'
  | 'fatal'
  | 'starting'
  | 'resuming'
  | 'gateway_disconnected'
  | 'discord_outage'
  | 'server_restarted'
  | 'server_suspended'
  | 'upstream_unreachable'
  | (string & {})

/** The status of a bot in one guild. */
export interface GuildStatus {
  /** The guild's id, a snowflake; too large for a number. */
  guildId: string
  /** True for `online` and `reconnecting`; for `unknown` the last value that was known. */
  healthy: boolean
  state: GuildState
  /** Null only while online. */
  reason: StatusReason | null
  /** When the server received the newest beat (RFC 3339, UTC); left out while there never was one. */
  lastHeartbeat?: string
  /** The version that the bot gave. */
  version: string | null
  /** Since when this state holds. */
  since: string
  /** When the bot means to be back; only in `maintenance`. */
  expectedBack?: string
  /** The shard that carries the guild; null while none is known. */
  shard: { id: number; count: number } | null
  /** `boot.seq`, two integers; see {@link compareRevisions}. */
  revision: string
}

const STATES: ReadonlySet<unknown> = new Set<GuildState>([
  'online',
  'reconnecting',
  'offline',
  'maintenance',
  'unavailable',
  'unknown',
])

/** Data that is not what it should be. */
export class ParseError extends Error {
  override name = 'ParseError'
  /** What was received. */
  readonly received: unknown

  constructor(message: string, received: unknown) {
    super(message)
    this.received = received
  }
}

/**
 * Reads the status of one guild. Fields that are not known are kept.
 *
 * @throws {ParseError} when a field is missing or of another type, or when it is the status of another guild.
 */
export function parseGuildStatus(data: unknown, guildId?: string): GuildStatus {
  const wrong = (field: string, expected: string) => new ParseError(`${field}: expected ${expected}`, data)
  if (!isRecord(data)) throw wrong('status', 'an object')
  const check = (field: string, expected: string, holds: (value: unknown) => boolean) => {
    if (!holds(data[field])) throw wrong(field, expected)
  }
  check('guildId', 'a string', isString)
  if (guildId !== undefined) check('guildId', guildId, (id) => id === guildId)
  check('healthy', 'true or false', (value) => typeof value === 'boolean')
  check('state', 'a known state', (value) => STATES.has(value))
  check('reason', 'a string or null', (value) => value === null || isString(value))
  check('lastHeartbeat', 'a time or nothing', (value) => value === undefined || isTime(value))
  check('version', 'a string or null', (value) => value === null || isString(value))
  check('since', 'a time', isTime)
  check('expectedBack', 'a time or nothing', (value) => value === undefined || isTime(value))
  check('shard', 'an id and a count, or null', (value) => value === null || isShard(value))
  check('revision', 'two integers', (value) => isString(value) && /^\d+\.\d+$/.test(value))
  return data as unknown as GuildStatus
}

/** Reads the text of a status, by `parse` if that of guildpulse is not the right one. */
export function readGuildStatus(
  text: string,
  guildId: string,
  parse: (data: unknown, guildId: string) => GuildStatus = parseGuildStatus,
): GuildStatus {
  const data = parseJson(text)
  if (data === undefined) throw new ParseError('status: expected JSON', text)
  return parse(data, guildId)
}

/**
 * Which of two revisions is newer: negative if it is `b`, positive if it is `a`, and `undefined` if they cannot be
 * compared because they are of different runs of the server, or not of guildpulse at all.
 */
export function compareRevisions(a: string, b: string): number | undefined {
  const [bootA, seqA] = a.split('.')
  const [bootB, seqB] = b.split('.')
  if (!seqA || !seqB || bootA !== bootB) return undefined
  return Number(seqA) - Number(seqB)
}

/** The greeting of a stream that understands this protocol. */
export interface Hello {
  protocol: 1
  /** A status comes at least so often. */
  snapshotIntervalMs: number
  /** How long to wait after a stable connection was lost. */
  retryMs: number
  /** The server's clock. */
  now: string
}

/** Reads a greeting; `undefined` if it is not one of this protocol, but of somebody else. */
export function parseHello(data: unknown): Hello | undefined {
  if (!isRecord(data) || data.protocol !== 1) return undefined
  const isHello = isMillis(data.snapshotIntervalMs) && isMillis(data.retryMs) && isTime(data.now)
  return isHello ? (data as unknown as Hello) : undefined
}

/** The end of a stream, announced. */
export interface Goodbye {
  reason: 'shutdown' | 'expired' | 'revoked' | 'max_age' | (string & {})
  retryAfterMs: number
}

/** Reads an announced end; `undefined` if it is not one. */
export function parseGoodbye(data: unknown): Goodbye | undefined {
  if (!isRecord(data) || !isString(data.reason) || !isMillis(data.retryAfterMs)) return undefined
  return data as unknown as Goodbye
}

/** Reads JSON; `undefined`, which JSON cannot be, if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isTime(value: unknown): boolean {
  return isString(value) && !Number.isNaN(Date.parse(value))
}

function isMillis(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value)
}

function isShard(value: unknown): boolean {
  return isRecord(value) && Number.isInteger(value.id) && Number.isInteger(value.count)
}
