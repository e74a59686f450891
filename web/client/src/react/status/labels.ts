import type { BotStatusState } from '../../core/look.js'

/**
 * The words that are shown: one for each state, and more. They are strings with places in braces and no functions, so that they may come from a file
 * of translations, and go from a server component to a client component.
 */
export interface BotStatusLabels extends Record<BotStatusState, string> {
  /** A state and why, or when the bot is back; `{state}` and `{more}`. */
  stateWithMore: string
  /** What is said of a reason. One that is not here is shown as it came. */
  reasons: Readonly<Record<string, string>>
  /** `{duration}` is one of the next two. */
  backIn: string
  minutes: string
  hours: string
  backAnyMoment: string
  /** In place of a state that has this reason. */
  discord_outage: string
  /** In place of a state that has this reason. */
  never_seen: string
  /** What a retry says where there is no connection. */
  connection: string
  /** What a retry says where there is no stream, but answers. */
  live: string
  /** `{time}` is "5 minutes ago" in the given locale. */
  lastSeen: string
  /** Comes after the time; `{version}`. */
  version: string
  checkDiscord: string
  /** Stands before the retry where there is no stream, but answers. */
  polling: string
}

export const LABELS: BotStatusLabels = {
  connecting: 'Connecting...',
  online: 'Online',
  reconnecting: 'Online',
  offline: 'Offline',
  unavailable: 'Unavailable',
  unknown: 'Unknown',
  maintenance: 'Restarting',
  error: 'Connection lost',
  'signed-out': 'Signed out',
  forbidden: 'No access to this server',
  stateWithMore: '{state} · {more}',
  reasons: {
    heartbeat_timeout: 'stopped responding',
    goodbye: 'shut down by its operator',
    fatal: 'Discord refused the login',
    starting: 'starting, not connected to Discord yet',
    resuming: 'reconnecting to Discord',
    gateway_disconnected: 'running, but cut off from Discord',
    server_restarted: 'guildpulse was restarted',
    server_suspended: 'guildpulse was asleep',
    upstream_unreachable: 'guildpulse cannot reach its backend',
  },
  backIn: 'back in about {duration}',
  minutes: '{n} min',
  hours: '{n} h',
  backAnyMoment: 'back any moment',
  discord_outage: 'Discord outage',
  never_seen: 'Not connected yet',
  connection: 'Click to retry',
  live: 'Retry live',
  lastSeen: 'Last seen: {time}',
  version: ' - v{version}',
  checkDiscord: 'Check Discord',
  polling: 'Updates every minute',
}

/** The given words, and ours where none are given. */
export function withDefaults(labels: Partial<BotStatusLabels> = {}): BotStatusLabels {
  return { ...LABELS, ...labels, reasons: { ...LABELS.reasons, ...labels.reasons } }
}

/** The words with their places filled. */
export function fill(words: string, places: Readonly<Record<string, string | number>>): string {
  return words.replaceAll(/\{(\w+)\}/g, (place, name: string) => String(places[name] ?? place))
}
