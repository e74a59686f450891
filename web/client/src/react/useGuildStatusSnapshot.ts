'use client'

import { useCallback, useSyncExternalStore } from 'react'
import { followGuildStatus, keyOfSource, knownConnection } from '../core/connections.js'
import { UNKNOWN, type Follower, type GuildStatusSnapshot, type GuildStatusSource } from '../core/snapshot.js'
import { useLatest } from './useLatest.js'

/** Where the status comes from, and who is told of it. */
interface Following extends Omit<GuildStatusSource, 'guildId'>, Omit<Follower, 'onChange'> {
  onSnapshot?: (snapshot: GuildStatusSnapshot) => void
}

/**
 * Follows the status of a guild while the component is mounted, together with all of the page who do. Without a guild
 * nothing is opened. Returns what is `select`ed of what is known; who selects little renders seldom.
 */
export function useGuildStatusSnapshot<T>(
  guildId: string | null,
  following: Following,
  select: (snapshot: GuildStatusSnapshot) => T,
): { key: string; selected: T; reconnect: () => void } {
  const key = guildId ? keyOfSource({ ...following, guildId }) : ''
  const latest = useLatest({ ...following, key })
  const read = () => knownConnection(key)?.getSnapshot() ?? UNKNOWN

  const follow = useCallback(
    (changed: () => void) => {
      if (!guildId) return () => {}
      const { parse, onPollNeeded } = following
      const told = () => {
        latest.current.onSnapshot?.(read())
        changed()
      }
      const { leave } = followGuildStatus(
        // It may change while it is being followed.
        { ...following, guildId, parse: parse && ((data, guildId) => (latest.current.parse ?? parse)(data, guildId)) },
        {
          onChange: told,
          onParseError: (error) => latest.current.onParseError?.(error),
          onUnauthorized: () => latest.current.onUnauthorized?.(),
          onPollNeeded: onPollNeeded && (() => latest.current.onPollNeeded?.()),
        },
      )
      told()
      return leave
    },
    [key],
  )
  const selected = useSyncExternalStore(follow, () => select(read()), () => select(UNKNOWN))
  const reconnect = useCallback(() => knownConnection(latest.current.key)?.reconnect(), [])
  return { key, selected, reconnect }
}
