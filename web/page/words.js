// What a status is called, and how times are told.

/**
 * A status as the server sends it (PROTOCOL.md).
 * @typedef {{ guildId: string, healthy: boolean, state: State, reason: string | null, lastHeartbeat?: string,
 *   version: string | null, since: string, shard: { id: number, count: number } | null, expectedBack?: string,
 *   revision: string }} Status
 * @typedef {'online' | 'reconnecting' | 'offline' | 'maintenance' | 'unavailable' | 'unknown'} State
 */

/** @type {Record<string, string>} */
const OFFLINE = {
  heartbeat_timeout: 'Offline · stopped responding',
  goodbye: 'Offline · shut down by its operator',
  fatal: 'Offline · Discord refused the login',
  gateway_disconnected: 'Offline · running, but cut off from Discord',
  discord_outage: 'Discord outage',
  starting: 'Offline · starting',
}

/** @type {Record<string, string>} */
const UNKNOWN = {
  never_seen: 'Not connected yet',
  upstream_unreachable: 'Unknown · the backend cannot be reached',
}

/**
 * @param {Status} status
 * @param {number} now the server's time, in milliseconds since the Unix epoch
 */
export function words(status, now) {
  switch (status.state) {
    case 'online':
      return 'Online'
    case 'reconnecting':
      return status.reason === 'discord_outage' ? 'Discord outage' : 'Online · reconnecting to Discord'
    case 'offline':
      return OFFLINE[status.reason ?? ''] ?? 'Offline'
    case 'maintenance': {
      const left = status.expectedBack ? Date.parse(status.expectedBack) - now : NaN
      return left > 0 ? `Restarting · back in about ${duration(left)}` : 'Restarting'
    }
    case 'unavailable':
      return 'Unavailable · Discord outage in this server'
    case 'unknown':
      return UNKNOWN[status.reason ?? ''] ?? 'Checking…'
  }
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
