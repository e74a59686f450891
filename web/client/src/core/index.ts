/** Everything without React. */
export { followGuildStatus, type Following } from './connections.js'
export { browser, type Environment, type EventSourceLike, type Page, type PageChange } from './environment.js'
export { EventStream, type ConnectionState, type RetryOptions, type StreamListener } from './eventStream.js'
export { fetchGuildStatus, GuildStatusError, type Answered, type FetchGuildStatusOptions } from './fetchGuildStatus.js'
export { GuildStatusConnection } from './guildStatus.js'
export { lookOfSnapshot, type BotStatusState, type Look, type Retry } from './look.js'
export type { Access, Follower, GuildStatusSnapshot, GuildStatusSource } from './snapshot.js'
export {
  compareRevisions,
  parseGoodbye,
  parseGuildStatus,
  parseHello,
  ParseError,
  type Goodbye,
  type GuildState,
  type GuildStatus,
  type Hello,
  type StatusReason,
} from './status.js'
