'use client'

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { followGuildStatus, keyOfSource } from '../core/connections.js'
import type { GuildStatusConnection } from '../core/guildStatus.js'
import { UNKNOWN, type Follower, type GuildStatusSnapshot, type GuildStatusSource } from '../core/snapshot.js'
import { Slot } from './slot.js'
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
  const latest = useLatest({ source, follower })
  const [slot] = useState(() => new Slot<GuildStatusSnapshot>(UNKNOWN))
  const connection = useRef<GuildStatusConnection | undefined>(undefined)
  const key = source?.guildId ? keyOfSource(source) : ''
  const polls = follower.onPollNeeded !== undefined

  useEffect(() => {
    if (!key || !latest.current.source) return
    const { parse } = latest.current.source
    const following = { ...latest.current.source, ...(parse && { parse: readAsLatest }) }
    function readAsLatest(data: unknown, guildId: string) {
      return (latest.current.source?.parse ?? parse!)(data, guildId)
    }
    // It may change while it is being followed.
    let known: GuildStatusConnection | undefined
    function changed() {
      if (!known) return
      const snapshot = known.getSnapshot()
      latest.current.follower.onSnapshot?.(snapshot)
      slot.set(key, snapshot)
    }
    const followed = followGuildStatus(following, {
      onChange: changed,
      onParseError: (error) => latest.current.follower.onParseError?.(error),
      onUnauthorized: () => latest.current.follower.onUnauthorized?.(),
      ...(polls && { onPollNeeded: () => latest.current.follower.onPollNeeded?.() }),
    })
    known = followed.connection
    connection.current = followed.connection
    changed()
    return () => {
      followed.leave()
      connection.current = undefined
    }
  }, [key, polls])

  const read = () => {
    const state = slot.getSnapshot()
    return select(state.key === key ? state.value : UNKNOWN)
  }
  const selected = useSyncExternalStore(slot.subscribe, read, () => select(UNKNOWN))
  const reconnect = useCallback(() => connection.current?.reconnect(), [])
  return { selected, reconnect }
}
