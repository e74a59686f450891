'use client'

import { keyOfSource } from '../../core/connections.js'
import type { Follower, GuildStatusSnapshot, GuildStatusSource } from '../../core/snapshot.js'
import { useGuildStatusSnapshot } from '../useGuildStatusSnapshot.js'
import { BotStatusView, type BotStatusAppearance } from './BotStatusView.js'
import { LABELS } from './labels.js'
import { lookOfGuild } from './look.js'
import { useIsLost } from './useIsLost.js'
import { useShownStatus } from './useShownStatus.js'
import { useTick } from './useTick.js'

/** The form that follows a guild by itself. All of a page who follow the same guild share one stream. */
export interface GuildBotStatusProps
  extends BotStatusAppearance,
    Omit<GuildStatusSource, 'guildId'>,
    Pick<Follower, 'onParseError' | 'onUnauthorized'> {
  /** Null while it is not known yet. */
  guildId: string | null
  healthy?: undefined
}

export function GuildBotStatus(props: GuildBotStatusProps) {
  const { guildId, streamUrl, statusUrl, withCredentials, shareKey, parse, onParseError, onUnauthorized, ...rest } = props
  const source = guildId ? { guildId, streamUrl, statusUrl, withCredentials, shareKey, parse } : null
  const follower = { onParseError, onUnauthorized }
  const { selected: snapshot, reconnect } = useGuildStatusSnapshot(source, asItIs, follower)
  // What is remembered of one guild does not count for the next.
  return <GuildView key={source ? keyOfSource(source) : ''} snapshot={snapshot} onReconnect={reconnect} {...rest} />
}

function asItIs(snapshot: GuildStatusSnapshot): GuildStatusSnapshot {
  return snapshot
}

interface GuildViewProps extends BotStatusAppearance {
  snapshot: GuildStatusSnapshot
  onReconnect: () => void
}

/** A guild as it is known, and as it was known before. */
export function GuildView({ snapshot, onReconnect, labels: given, className, locale, announce }: GuildViewProps) {
  useTick()
  const labels = { ...LABELS, ...given }
  const isLost = useIsLost(snapshot)
  const shown = useShownStatus(snapshot.status)
  const look = lookOfGuild({ snapshot, isLost, ...shown }, Date.now(), labels)
  const isAlive = shown.status?.healthy && !look.isMuted && look.state === shown.status.state
  return (
    <BotStatusView
      look={look}
      frame={isAlive ? snapshot.frames : ''}
      isSettled={snapshot.isConfirmed}
      onRetry={onReconnect}
      {...{ labels, className, locale, announce }}
    />
  )
}
