import { queryOptions } from '@tanstack/react-query'
import { keyOfSource, knownConnection } from '../core/connections.js'
import { fetchGuildStatus, GuildStatusError } from '../core/fetchGuildStatus.js'
import { statusUrlOf, type GuildStatusSource } from '../core/snapshot.js'
import { ParseError, type GuildStatus } from '../core/status.js'

/** Where a status comes from, if not from `/api/guilds/{guildId}/status`. */
export interface GuildStatusOptions extends Omit<GuildStatusSource, 'guildId' | 'streamUrl'> {
  streamUrl?: string | undefined
  /** Headers of the request, as the credential on a server. */
  headers?: Record<string, string> | undefined
}

/** The key of a guild's status in the cache. */
export function guildStatusKey(guildId: string) {
  return ['guild', guildId, 'status'] as const
}

/**
 * The query of a guild's status: for `useQuery`, loaders and servers. Where the page follows the guild's stream, an
 * answer that is older than what came on the stream does not replace it.
 */
export function guildStatusOptions(guildId: string, { headers, ...source }: GuildStatusOptions = {}) {
  const { statusUrl = statusUrlOf(guildId), withCredentials, parse } = source
  return queryOptions<GuildStatus, Error, GuildStatus, ReturnType<typeof guildStatusKey>>({
    queryKey: guildStatusKey(guildId),
    staleTime: 30_000,
    retry: (failures, error) => failures < 2 && isWorthATry(error),
    async queryFn(context) {
      const connection = knownConnection(keyOfSource({ guildId, ...source }))
      // Others may wait for the same answer, so it is not for this query to cancel.
      if (connection) return connection.poll()
      const { signal } = context
      return (await fetchGuildStatus(statusUrl, guildId, { signal, withCredentials, headers, parse })).status
    },
  })
}

/** The next answer may be another one. */
function isWorthATry(error: Error): boolean {
  if (error instanceof ParseError) return false
  // Who says when to come back is not asked before.
  return !(error instanceof GuildStatusError) || (error.status >= 500 && error.retryAfterMs === undefined)
}
