import type { GuildStatusSnapshot } from '../../core/snapshot.js'
import type { GuildState, GuildStatus } from '../../core/status.js'
import type { BotStatusLabels } from './labels.js'
import { words } from './words.js'

/** What `data-state` says: a state of the bot, or why there is none. */
export type BotStatusState = GuildState | 'connecting' | 'error' | 'signed-out' | 'forbidden'

/** What is to be seen. */
export interface Look {
  state: BotStatusState
  /** Why it is that, for `data-reason`. */
  reason?: string | null | undefined
  word: string
  /** It may be old, and is shown without its colour. */
  isMuted?: boolean | undefined
  /** Of the bot, on our clock; left out if it is of no interest. */
  lastSeen?: { at: string; clockOffset: number; version: string | null | undefined } | undefined
  checkDiscord?: boolean | undefined
  /** What the retry is for, where there is one. */
  retry?: 'connection' | 'live' | undefined
}

/** What a guild's status is shown from. */
export interface Seen {
  snapshot: GuildStatusSnapshot
  /** What is shown as the status, which may be the one before. */
  status: GuildStatus | undefined
  isMuted: boolean
  /** Nothing was confirmed for too long. */
  isLost: boolean
}

/** What is to be seen of a guild. A known status wins over what the connection is doing. */
export function lookOfGuild({ snapshot, status, isMuted, isLost }: Seen, now: number, labels: BotStatusLabels): Look {
  const { access, connectionState, clockOffset } = snapshot
  if (access === 'signed-out') return { state: access, word: labels.signedOut, retry: 'connection' }
  if (access === 'forbidden') return { state: access, word: labels.noAccess, retry: 'connection' }
  if (isLost && connectionState !== 'connecting') return lost(labels)
  if (isLost || !status) {
    // It goes on by itself, but who is waiting need not wait for that.
    const retry = connectionState === 'error' ? 'connection' : undefined
    return { state: 'connecting', word: labels.connecting, retry }
  }
  const { state, reason, healthy, lastHeartbeat, version } = status
  return {
    state,
    reason,
    word: words(status, now + clockOffset, labels),
    isMuted,
    lastSeen: !healthy && lastHeartbeat ? { at: lastHeartbeat, clockOffset, version } : undefined,
    retry: connectionState === 'error' ? 'live' : undefined,
  }
}

/** There is no connection, and nothing that is new enough to be shown in its place. */
export function lost(labels: BotStatusLabels): Look {
  return { state: 'error', word: labels.connectionLost, retry: 'connection' }
}
