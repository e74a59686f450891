import type { GuildStatusSnapshot } from './snapshot.js'
import type { GuildState } from './status.js'

/** What `data-state` says: a state of the bot, or why there is none. */
export type BotStatusState = GuildState | 'connecting' | 'error' | 'signed-out' | 'forbidden'

/** What a retry brings back: all that is to be known, or the stream of it. */
export type Retry = 'retry' | 'retryLive'

/** What is to be seen. */
export interface Look {
  state: BotStatusState
  /** Why it is that, for `data-reason`. */
  reason?: string | null | undefined
  expectedBack?: string | undefined
  /** It may be old, and is shown without its colour. */
  isMuted?: true | undefined
  /** Changes with each sign of life. */
  pulse?: string | number | undefined
  /** When the bot was seen last; left out if that is of no interest. */
  lastHeartbeat?: string | undefined
  version?: string | null | undefined
  checkDiscord?: boolean | undefined
  /** What has to be added to our clock to have that of these times, in milliseconds. */
  clockOffset?: number | undefined
  /** What the retry is for, where there is one. */
  retry?: Retry | false | undefined
  /** The connection is there, so that nobody waits for what a retry brings. */
  isSettled?: boolean | undefined
}

/** There is no connection, and nothing that is new enough to be shown in its place. */
export const LOST: Look = { state: 'error', retry: 'retry' }

/** What is to be seen of a guild. A known status wins over what the connection is doing. */
export function lookOfSnapshot(snapshot: GuildStatusSnapshot): Look {
  const { access, connectionState, isLost, isConfirmed, clockOffset, frames, before } = snapshot
  const shown = before ?? snapshot.status
  const hasFailed = connectionState === 'error'
  if (access !== 'granted') return { state: access, retry: 'retry' }
  if (isLost && connectionState !== 'connecting') return LOST
  // It goes on by itself, but who is waiting need not wait for that.
  if (isLost || !shown) return { state: 'connecting', retry: hasFailed && 'retry' }
  const { state, reason, expectedBack, healthy, lastHeartbeat, version } = shown
  return {
    state,
    reason,
    expectedBack,
    isMuted: before && true,
    pulse: healthy && !before ? frames : 0,
    lastHeartbeat: healthy ? undefined : lastHeartbeat,
    version,
    clockOffset,
    retry: hasFailed && 'retryLive',
    isSettled: isConfirmed,
  }
}
