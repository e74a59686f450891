import { browser } from './environment.js'
import { GuildStatusConnection } from './guildStatus.js'
import type { Follower, GuildStatusSource } from './snapshot.js'

/** The connections of this page, so that all who look at one guild look at one. */
const connections = new Map<string, GuildStatusConnection>()

/**
 * What makes two sources one. A `parse` is no part of it: it is mostly written anew at each render. If two of one source
 * read it differently, the first counts.
 */
export function keyOfSource(source: GuildStatusSource): string {
  const { guildId, streamUrl = '', statusUrl = '', withCredentials = false, shareKey = '' } = source
  return JSON.stringify([guildId, streamUrl, statusUrl, withCredentials, shareKey])
}

/** Follows this source, together with all of this page who do, until the returned connection is left. */
export function followGuildStatus(source: GuildStatusSource, follower: Follower): Following {
  const key = keyOfSource(source)
  const known = connections.get(key)
  const connection = known ?? new GuildStatusConnection(source, browser, () => connections.delete(key))
  if (!known) connections.set(key, connection)
  return { connection, leave: connection.follow(follower) }
}

/** A connection and the way out of it. */
export interface Following {
  connection: GuildStatusConnection
  leave: () => void
}

/** The connection of this key, if somebody follows it. */
export function knownConnection(key: string): GuildStatusConnection | undefined {
  return connections.get(key)
}
