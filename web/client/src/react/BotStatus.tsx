'use client'

import { ControlledBotStatus, type ControlledBotStatusProps } from './status/ControlledBotStatus.js'
import { GuildBotStatus, type GuildBotStatusProps } from './status/GuildBotStatus.js'

/** Either what is to be shown, or the guild that is to be followed. */
export type BotStatusProps = ControlledBotStatusProps | GuildBotStatusProps

/**
 * Shows whether a bot is alive: a mark and a word, since when it is not, and a way to try again.
 *
 * Its looks are a stylesheet: `guildpulse/styles.css`, or `guildpulse/tailwind.css` for who has Tailwind.
 */
export function BotStatus(props: BotStatusProps) {
  return props.guildId === undefined ? (
    <ControlledBotStatus {...(props as ControlledBotStatusProps)} />
  ) : (
    <GuildBotStatus {...props} />
  )
}
