// What a status is called, and how times are told.

/**
 * A status as the server sends it (PROTOCOL.md).
 * @typedef {{ guildId: string, healthy: boolean, state: State, reason: string | null, lastHeartbeat?: string,
 *   version: string | null, since: string, shard: { id: number, count: number } | null, expectedBack?: string,
 *   revision: string }} Status
 * @typedef {'online' | 'reconnecting' | 'offline' | 'maintenance' | 'unavailable' | 'unknown'} State
 */

/** @type {Record<string, string>} */
const STATES = { online: 'Online', reconnecting: 'Online', offline: 'Offline', unavailable: 'Unavailable', unknown: 'Unknown' }

/** @type {Record<string, string>} */
const REASONS = {
  heartbeat_timeout: 'stopped responding',
  goodbye: 'shut down by its operator',
  fatal: 'Discord refused the login',
  starting: 'starting, not connected to Discord yet',
  resuming: 'reconnecting to Discord',
  gateway_disconnected: 'running, but cut off from Discord',
  server_restarted: 'guildpulse was restarted',
  server_suspended: 'guildpulse was asleep',
  upstream_unreachable: 'guildpulse cannot reach its backend',
}

/**
 * The sentence for a status; protocol/words.json lists them for all who make them.
 * @param {Pick<Status, 'state' | 'reason' | 'expectedBack'>} status
 * @param {number} now the server's time, in milliseconds since the Unix epoch
 */
export function words({ state, reason, expectedBack }, now) {
  if (state === 'maintenance') {
    if (!expectedBack) return 'Restarting'
    const left = Date.parse(expectedBack) - now
    return `Restarting · back ${left > 0 ? `in about ${about(left)}` : 'any moment'}`
  }
  if (reason === 'discord_outage') return 'Discord outage'
  if (reason === 'never_seen') return 'Not connected yet'
  // A word of a newer server is shown as it came.
  const said = STATES[state] ?? plain(state)
  return reason ? `${said} · ${REASONS[reason] ?? plain(reason)}` : said
}

/** @param {string} word */
function plain(word) {
  return word.replaceAll('_', ' ')
}

/**
 * A time that somebody has guessed: nobody means the second.
 * @param {number} ms
 */
function about(ms) {
  const minutes = Math.floor((Math.floor(ms / 1000) + 30) / 60)
  return minutes < 90 ? `${Math.max(minutes, 1)} min` : `${Math.floor((minutes + 30) / 60)} h`
}

/**
 * A time span in its largest unit, such as `3 min`.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 60 * 60) return `${Math.floor(seconds / 60)} min`
  if (seconds < 24 * 60 * 60) return `${Math.floor(seconds / 3600)} h`
  const days = Math.floor(seconds / 86_400)
  return days === 1 ? '1 day' : `${days} days`
}
