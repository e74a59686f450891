import { ParseError, type GuildStatus } from '../../../dist/index.js'

/** What somebody writes whose server is none of guildpulse. */
export function readSnakeCase(data: unknown): GuildStatus {
  const { guild_id, is_online, last_seen_at, bot_version } = data as Record<string, unknown>
  if (typeof guild_id !== 'string' || typeof is_online !== 'boolean' || typeof last_seen_at !== 'number') {
    throw new ParseError('it is no status of ours', data)
  }
  const lastHeartbeat = new Date(last_seen_at * 1000).toISOString()
  return {
    guildId: guild_id,
    healthy: is_online,
    state: is_online ? 'online' : 'offline',
    reason: null,
    lastHeartbeat,
    version: typeof bot_version === 'string' ? bot_version : null,
    since: lastHeartbeat,
    shard: null,
    revision: '',
  }
}
