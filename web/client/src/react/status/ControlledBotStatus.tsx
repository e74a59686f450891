'use client'

import type { ConnectionState } from '../../core/eventStream.js'
import { BotStatusView, type BotStatusAppearance } from './BotStatusView.js'
import { LABELS, type BotStatusLabels } from './labels.js'
import { lookOfConnection, type Look } from './look.js'

/** The form for who has the status already: it shows what it is given, and asks nobody. */
export interface ControlledBotStatusProps extends BotStatusAppearance {
  healthy: boolean
  /** When the newest beat was received (RFC 3339). */
  lastHeartbeat?: string | undefined
  version?: string | null | undefined
  /** `connected` if left out. */
  connectionState?: ConnectionState | undefined
  /** What the retry does, which is offered in the state `error`. */
  onReconnect?: (() => void) | undefined
  guildId?: undefined
}

export function ControlledBotStatus(props: ControlledBotStatusProps) {
  const { healthy, lastHeartbeat, connectionState = 'connected', onReconnect, className, locale, announce } = props
  const labels = { ...LABELS, ...props.labels }
  const look = lookOfProps(props, labels)
  return (
    <BotStatusView
      look={look}
      frame={healthy && look.state === 'online' ? (lastHeartbeat ?? 'once') : ''}
      isSettled={connectionState === 'connected'}
      onRetry={onReconnect}
      {...{ labels, className, locale, announce }}
    />
  )
}

/** What the connection is doing wins over the status, and a stream that is being waited for is not spoken of. */
function lookOfProps(props: ControlledBotStatusProps, labels: BotStatusLabels): Look {
  const { healthy, lastHeartbeat, version, connectionState = 'connected' } = props
  if (connectionState === 'connecting' || connectionState === 'error') return lookOfConnection(connectionState, labels)
  if (healthy) return { state: 'online', word: labels.online }
  const isCertain = connectionState === 'connected'
  return {
    state: 'offline',
    word: labels.offline,
    lastSeen: isCertain && lastHeartbeat ? { at: lastHeartbeat, clockOffset: 0, version } : undefined,
    checkDiscord: isCertain,
  }
}
