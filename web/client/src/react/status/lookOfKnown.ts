import type { ConnectionState } from '../../core/eventStream.js'
import { LOST, type Look } from '../../core/look.js'

/** What a page knows that has the status already. */
export interface Known {
  healthy: boolean
  /** When the newest beat was received (RFC 3339). */
  lastHeartbeat?: string | undefined
  version?: string | null | undefined
  /** `connected` if left out. */
  connectionState?: ConnectionState | undefined
}

/** What the connection is doing wins over the status, and a stream that is being waited for is not spoken of. */
export function lookOfKnown({ healthy, lastHeartbeat, version, connectionState = 'connected' }: Known): Look {
  if (connectionState === 'connecting') return { state: 'connecting' }
  if (connectionState === 'error') return LOST
  const isSettled = connectionState === 'connected'
  if (healthy) return { state: 'online', pulse: lastHeartbeat || 'once', isSettled }
  if (!isSettled) return { state: 'offline' }
  return { state: 'offline', lastHeartbeat, version, checkDiscord: true, isSettled }
}
