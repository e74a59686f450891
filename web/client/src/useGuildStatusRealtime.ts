'use client'

import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import type { ConnectionState } from './core/eventStream.js'
import { GuildStatusError } from './core/fetchGuildStatus.js'
import { POLL_MS } from './core/guildStatus.js'
import type { Follower, GuildStatusSnapshot, GuildStatusSource } from './core/snapshot.js'
import type { GuildStatus } from './core/status.js'
import { guildStatusOptions } from './query/guildStatusOptions.js'
import { useGuildStatusSnapshot } from './react/useGuildStatusSnapshot.js'

/** Where the status comes from, and who is told what goes wrong. */
export interface UseGuildStatusRealtimeOptions<T = GuildStatus>
  extends Omit<GuildStatusSource, 'guildId'>,
    Pick<Follower, 'onParseError' | 'onUnauthorized'> {
  /** What of the status is `data`. Nothing renders for the rest of it. */
  select?: ((status: GuildStatus) => T) | undefined
}

/** What {@link useGuildStatusRealtime} returns: the result of the query, and its stream. */
export type GuildStatusRealtime<T = GuildStatus> = UseQueryResult<T> & {
  connectionState: ConnectionState
  reconnect: () => void
}

/**
 * The status of a guild, live: from a stream while that works, and from polls while it does not. All of a page who look
 * at one guild share one stream.
 *
 * As with `useQuery`, a component renders again only for what it reads of the result.
 */
export function useGuildStatusRealtime<T = GuildStatus>(
  guildId: string | null,
  options: UseGuildStatusRealtimeOptions<T> = {},
): GuildStatusRealtime<T> {
  const client = useQueryClient()
  const id = guildId ?? ''
  const asking = guildStatusOptions(id, options)
  const { queryKey } = asking
  const written = useRef<GuildStatus | undefined>(undefined)
  const following = {
    ...options,
    onPollNeeded: () => void client.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false }),
    onSnapshot: ({ status, confirmedAt }: GuildStatusSnapshot) => {
      // What was written once is not written again because the connection has changed: it is no younger for that.
      if (!status || !confirmedAt || status === written.current) return
      written.current = status
      client.setQueryData(queryKey, status, { updatedAt: confirmedAt })
    },
  }
  const { selected, reconnect } = useGuildStatusSnapshot(guildId, following, connectionAndPolls)
  const [connectionState, polls] = selected.split(' ') as [ConnectionState, string]
  const query = useQuery({
    ...asking,
    select: options.select as (status: GuildStatus) => T,
    enabled: id !== '',
    refetchInterval: ({ state }) => polls === 'polls' && Math.max(POLL_MS, retryAfter(state.error)),
  })
  // Who reads nothing is told everything, and this never changes.
  void query.refetch
  return useMemo(() => withConnection(query, connectionState, reconnect), [query, connectionState, reconnect])
}

/** How long the server wants not to be asked, in milliseconds. */
function retryAfter(error: Error | null): number {
  return (error instanceof GuildStatusError && error.retryAfterMs) || 0
}

/** All of a snapshot that a render depends on, as one word and another. */
function connectionAndPolls({ connectionState, isConfirmed, access }: GuildStatusSnapshot): string {
  return `${connectionState} ${isConfirmed || access !== 'granted' ? 'rests' : 'polls'}`
}

/**
 * The result with the connection. What is read of a result is what a component renders for, so nothing of it may be
 * read here: each field gets a getter, which callers who spread it read as well.
 */
function withConnection<T>(
  query: UseQueryResult<T>,
  connectionState: ConnectionState,
  reconnect: () => void,
): GuildStatusRealtime<T> {
  const result = { connectionState, reconnect }
  for (const key of Object.keys(query) as (keyof typeof query)[]) {
    Object.defineProperty(result, key, { enumerable: true, get: () => query[key] })
  }
  return result as GuildStatusRealtime<T>
}
