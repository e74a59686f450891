/**
 * The words that are shown. They are strings with places in braces and no functions, so that they may come from a file
 * of translations, and go from a server component to a client component.
 */
export interface BotStatusLabels {
  // The states, of the bot and of the connection.
  connecting: string
  online: string
  offline: string
  unavailable: string
  unknown: string
  maintenance: string
  error: string
  'signed-out': string
  forbidden: string
  // Sentences of their own.
  discord_outage: string
  never_seen: string
  // What stands behind a state: why it is that.
  heartbeat_timeout: string
  goodbye: string
  fatal: string
  starting: string
  resuming: string
  gateway_disconnected: string
  server_restarted: string
  server_suspended: string
  upstream_unreachable: string
  // What stands behind `maintenance`; `{time}` is one of the next two, and `{n}` a number.
  backIn: string
  minutes: string
  hours: string
  backSoon: string
  /** `{time}` is "5 minutes ago" in the given locale. */
  lastSeen: string
  /** Comes after the time; `{version}`. */
  version: string
  checkDiscord: string
  retry: string
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
  maintenance: 'Restarting',
  error: 'Connection lost',
  'signed-out': 'Signed out',
  forbidden: 'No access to this server',
  discord_outage: 'Discord outage',
  never_seen: 'Not connected yet',
  heartbeat_timeout: 'stopped responding',
  goodbye: 'shut down by its operator',
  fatal: 'Discord refused the login',
  starting: 'starting, not connected to Discord yet',
  resuming: 'reconnecting to Discord',
  gateway_disconnected: 'running, but cut off from Discord',
  server_restarted: 'guildpulse was restarted',
  server_suspended: 'guildpulse was asleep',
  upstream_unreachable: 'guildpulse cannot reach its backend',
  backIn: 'back in about {time}',
  minutes: '{n} min',
  hours: '{n} h',
  backSoon: 'back any moment',
  lastSeen: 'Last seen: {time}',
  version: ' - v{version}',
  checkDiscord: 'Check Discord',
  retry: 'Click to retry',
  polling: 'Updates every minute',
  retryLive: 'Retry live',
}

/** The words with a place filled. */
export function fill(words: string, place: string, value: string | number): string {
  return words.replace(place, () => `${value}`)
}

/** What is said of a state or a reason. That of a newer server is shown as it came, also if objects have something of its name. */
export function say(word: string, labels: BotStatusLabels): string {
  return Object.hasOwn(labels, word) ? labels[word as keyof BotStatusLabels] : word.replaceAll('_', ' ')
}
