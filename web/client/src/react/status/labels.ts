/**
 * The words that are shown. They are strings with places in braces and no functions, so that they may come from a file
 * of translations, and go from a server component to a client component.
 */
export interface BotStatusLabels {
  /** Nothing is known yet. */
  connecting: string
  online: string
  offline: string
  unavailable: string
  unknown: string
  /** A state and why; `{state}` and `{reason}`. */
  stateWithReason: string
  /** What is said of a reason. One that is not here is shown as it came. */
  reasons: Readonly<Record<string, string>>
  restarting: string
  /** `{duration}` is one of the next two. */
  restartingBackIn: string
  minutes: string
  hours: string
  restartingAnyMoment: string
  discordOutage: string
  neverSeen: string
  signedOut: string
  noAccess: string
  connectionLost: string
  clickToRetry: string
  /** `{time}` is "5 minutes ago" in the given locale. */
  lastSeen: string
  /** Comes after the time; `{version}`. */
  version: string
  checkDiscord: string
  /** There is no stream, but answers. */
  polling: string
  retryLive: string
}

export const LABELS: BotStatusLabels = {
  connecting: 'Connecting...',
  online: 'Online',
  offline: 'Offline',
  unavailable: 'Unavailable',
  unknown: 'Unknown',
  stateWithReason: '{state} · {reason}',
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
  restarting: 'Restarting',
  restartingBackIn: 'Restarting · back in about {duration}',
  minutes: '{n} min',
  hours: '{n} h',
  restartingAnyMoment: 'Restarting · back any moment',
  discordOutage: 'Discord outage',
  neverSeen: 'Not connected yet',
  signedOut: 'Signed out',
  noAccess: 'No access to this server',
  connectionLost: 'Connection lost',
  clickToRetry: 'Click to retry',
  lastSeen: 'Last seen: {time}',
  version: ' - v{version}',
  checkDiscord: 'Check Discord',
  polling: 'Updates every minute',
  retryLive: 'Retry live',
}

/** The given words, and ours where none are given. */
export function withDefaults(labels: Partial<BotStatusLabels> = {}): BotStatusLabels {
  return { ...LABELS, ...labels, reasons: { ...LABELS.reasons, ...labels.reasons } }
}

/** The words with their places filled. */
export function fill(words: string, places: Readonly<Record<string, string | number>>): string {
  return words.replaceAll(/\{(\w+)\}/g, (place, name: string) => String(places[name] ?? place))
}
