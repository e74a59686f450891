'use client'

import { lookOfSnapshot } from '../core/look.js'
import type { Follower, GuildStatusSource } from '../core/snapshot.js'
import { BotStatusView, type BotStatusAppearance } from './status/BotStatusView.js'
import { lookOfKnown, type Known } from './status/lookOfKnown.js'
import { useGuildStatusSnapshot } from './useGuildStatusSnapshot.js'

/** The form for who has the status already: it shows what it is given, and asks nobody. */
export interface ControlledBotStatusProps extends BotStatusAppearance, Known {
  /** What the retry does, which is offered in the state `error`. */
  onReconnect?: (() => void) | undefined
  guildId?: undefined
}

/** The form that follows a guild by itself. All of a page who follow the same guild share one stream. */
export interface GuildBotStatusProps
  extends BotStatusAppearance,
    Omit<GuildStatusSource, 'guildId'>,
    Pick<Follower, 'onParseError' | 'onUnauthorized'> {
  /** Null while it is not known yet. */
  guildId: string | null
  healthy?: undefined
}

/** Either what is to be shown, or the guild that is to be followed. */
export type BotStatusProps = ControlledBotStatusProps | GuildBotStatusProps

/**
 * Shows whether a bot is alive: a mark and a word, since when it is not, and a way to try again.
 *
 * Its looks are a stylesheet: `guildpulse/styles.css`, or `guildpulse/tailwind.css` for who has Tailwind.
 */
export function BotStatus(props: BotStatusProps) {
  if (props.guildId !== undefined) return <GuildBotStatus {...props} />
  const known = props as ControlledBotStatusProps
  return <BotStatusView {...known} look={lookOfKnown(known)} />
}

function GuildBotStatus(props: GuildBotStatusProps) {
  const { key, selected, reconnect } = useGuildStatusSnapshot(props.guildId, props, (snapshot) => snapshot)
  // What is remembered of one guild does not count for the next.
  return <BotStatusView key={key} {...props} look={lookOfSnapshot(selected)} onReconnect={reconnect} />
}
