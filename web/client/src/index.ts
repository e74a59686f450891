/** Everything for users of TanStack Query. */
export * from './core/index.js'
export * from './query/index.js'
export * from './react/index.js'
export { useGuildStatusRealtime, type GuildStatusRealtime, type UseGuildStatusRealtimeOptions } from './useGuildStatusRealtime.js'
