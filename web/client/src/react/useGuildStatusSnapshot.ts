'use client'

import { useCallback, useSyncExternalStore } from 'react'
import { followGuildStatus, keyOfSource, knownConnection } from '../core/connections.js'
import { UNKNOWN, type Follower, type GuildStatusSnapshot } from '../core/snapshot.js'
import type { GuildStatusSource } from '../core/source.js'
import { useLatest } from './useLatest.js'

/**
 * Follows the status of a guild while the component is mounted, together with all of the page who do. Without a guild
 * nothing is opened. Returns what is `select`ed of what is known; who selects little renders seldom.
 */
export function useGuildStatusSnapshot<T>(
  source: GuildStatusSource | null,
  select: (snapshot: GuildStatusSnapshot) => T,
  follower: Omit<Follower, 'onChange'> & { onSnapshot?: (snapshot: GuildStatusSnapshot) => void } = {},
): { selected: T; reconnect: () => void } {
  const key = source?.guildId ? keyOfSource(source) : ''
  const latest = useLatest({ key, source, follower })
  const read = () => (key && knownConnection(key)?.getSnapshot()) || UNKNOWN

  const follow = useCallback(
    (changed: () => void) => {
      if (!key || !source) return () => {}
      const { parse } = source
      const told = () => {
        latest.current.follower.onSnapshot?.(read())
        changed()
      }
      const { leave } = followGuildStatus(
        // It may change while it is being followed.
        { ...source, parse: parse && ((data, guildId) => (latest.current.source?.parse ?? parse)(data, guildId)) },
        {
          onChange: told,
          onParseError: (error) => latest.current.follower.onParseError?.(error),
          onUnauthorized: () => latest.current.follower.onUnauthorized?.(),
          onPollNeeded: follower.onPollNeeded && (() => latest.current.follower.onPollNeeded?.()),
        },
      )
      told()
      return leave
    },
    [key],
  )
  const selected = useSyncExternalStore(follow, () => select(read()), () => select(UNKNOWN))
  const reconnect = useCallback(() => knownConnection(latest.current.key)?.reconnect(), [])
  return { selected, reconnect }
}
