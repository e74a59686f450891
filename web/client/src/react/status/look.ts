import type { GuildStatusSnapshot } from '../../core/snapshot.js'
import type { GuildState, GuildStatus } from '../../core/status.js'
import { say, type BotStatusLabels } from './labels.js'
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
  const isOver = connectionState === 'error'
  if (access !== 'granted') return lookOfConnection(access, labels)
  if (isLost && connectionState !== 'connecting') return lookOfConnection('error', labels)
  // It goes on by itself, but who is waiting need not wait for that.
  if (isLost || !status) return lookOfConnection('connecting', labels, isOver)
  const { state, reason, healthy, lastHeartbeat, version } = status
  return {
    state,
    reason,
    word: words(status, now + clockOffset, labels),
    isMuted,
    lastSeen: !healthy && lastHeartbeat ? { at: lastHeartbeat, clockOffset, version } : undefined,
    retry: isOver ? 'live' : undefined,
  }
}

/** There is nothing that is new enough to be shown in the place of the connection. */
export function lookOfConnection(
  state: 'connecting' | 'error' | 'signed-out' | 'forbidden',
  labels: BotStatusLabels,
  mayRetry = state !== 'connecting',
): Look {
  return { state, word: say(state, labels), retry: mayRetry ? 'connection' : undefined }
}
