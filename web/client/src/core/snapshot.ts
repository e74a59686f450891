/** What is known of a guild at one moment, from where it comes, and who is told. */
import type { ConnectionState } from './eventStream.js'
import type { GuildStatus, ParseError } from './status.js'

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

/** Whether the viewer may see the guild, as far as the server has said. */
export type Access = 'granted' | 'signed-out' | 'forbidden'

/** Everything that is known at one moment. It is the same object until something changes. */
export interface GuildStatusSnapshot {
  readonly status: GuildStatus | undefined
  readonly connectionState: ConnectionState
  /** Whether the stream works, so that nothing has to be polled. */
  readonly isConfirmed: boolean
  readonly access: Access
  /**
   * Whether nothing was confirmed for two polls. Time in which nobody looks, or in which the machine sleeps, does not
   * count: nobody polls then, and the first thing to be seen on return is not an alarm.
   */
  readonly isLost: boolean
  /**
   * The status from before the server's own restart, for a moment: the server knows nothing yet, but most likely nothing
   * has changed.
   */
  readonly before: GuildStatus | undefined
  /** When a status was heard or answered last, in milliseconds since 1970. */
  readonly confirmedAt: number | undefined
  /** How many statuses came on the stream. */
  readonly frames: number
  /** What has to be added to our clock to have the server's, in milliseconds. */
  readonly clockOffset: number
}

/** What is known before anything was heard. */
export const UNKNOWN: GuildStatusSnapshot = {
  status: undefined,
  connectionState: 'connecting',
  isConfirmed: false,
  isLost: false,
  before: undefined,
  access: 'granted',
  confirmedAt: undefined,
  frames: 0,
  clockOffset: 0,
}

/** Who follows a status, and what it does for all who do. */
export interface Follower {
  onChange: () => void
  /** Data that is none. The connection goes on. */
  onParseError?: ((error: ParseError) => void) | undefined
  /** The viewer's credential is not valid, or not any more. */
  onUnauthorized?: (() => void) | undefined
  /** Asks now, by `poll` of the connection, and goes on doing so each minute while the stream is not confirmed. */
  onPollNeeded?: (() => void) | undefined
}
