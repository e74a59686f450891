/** Without TanStack Query. */
export { useSSE, type SSEConnection, type UseSSEOptions } from './useSSE.js'
export type { ConnectionState } from '../core/eventStream.js'
