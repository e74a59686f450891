/** Without TanStack Query. */
export { useSSE, type SSEConnection, type UseSSEOptions } from './useSSE.js'
export type { ConnectionState } from '../core/eventStream.js'
export { BotStatus, type BotStatusProps, type ControlledBotStatusProps, type GuildBotStatusProps } from './BotStatus.js'
export type { BotStatusAppearance } from './status/BotStatusView.js'
export type { BotStatusLabels } from './status/labels.js'
export type { BotStatusState } from '../core/look.js'
