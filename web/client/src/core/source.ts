import type { GuildStatus } from './status.js'

/** Where and how the status of a guild is to be had. */
export interface GuildStatusSource {
  guildId: string
  /** The stream; `/api/guilds/{guildId}/status/stream` if left out. */
  streamUrl?: string | undefined
  /** The same as JSON; `/api/guilds/{guildId}/status` if left out. */
  statusUrl?: string | undefined
  /** Whether cookies go to another origin. */
  withCredentials?: boolean | undefined
  /** Another value is another connection, as for another user whose cookie is sent. */
  shareKey?: string | undefined
  /** Reads what another server says; throws what is wrong with it. */
  parse?: ((data: unknown, guildId: string) => GuildStatus) | undefined
}

/** Where the status of this guild is, if nothing else is said. */
export function statusUrlOf(guildId: string): string {
  return `/api/guilds/${encodeURIComponent(guildId)}/status`
}
