/** Without TanStack Query. */
export { useSSE, type SSEConnection, type UseSSEOptions } from './useSSE.js'
export type { ConnectionState } from '../core/eventStream.js'
export { BotStatus, type BotStatusProps } from './BotStatus.js'
export type { BotStatusAppearance } from './status/BotStatusView.js'
export type { ControlledBotStatusProps } from './status/ControlledBotStatus.js'
export type { GuildBotStatusProps } from './status/GuildBotStatus.js'
export type { BotStatusLabels } from './status/labels.js'
export type { BotStatusState } from './status/look.js'
