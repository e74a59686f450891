import type { GuildStatus } from '../../core/status.js'
import { fill, LABELS, say, type BotStatusLabels } from './labels.js'

/** The sentence for a status; protocol/words.json lists them for all who make them. `now` is the server's time. */
export function words(
  { state, reason, expectedBack }: Pick<GuildStatus, 'state' | 'reason' | 'expectedBack'>,
  now: number,
  labels: BotStatusLabels = LABELS,
): string {
  if (reason === 'discord_outage' || reason === 'never_seen') return say(reason, labels)
  const said = say(state === 'reconnecting' ? 'online' : state, labels)
  const more = state === 'maintenance' ? back(expectedBack, now, labels) : reason && say(reason, labels)
  return more ? `${said} · ${more}` : said
}

/** A time that somebody has guessed: nobody means the second. */
function back(expectedBack: string | undefined, now: number, labels: BotStatusLabels): string {
  if (!expectedBack) return ''
  const left = Date.parse(expectedBack) - now
  if (left <= 0) return labels.backSoon
  const minutes = Math.floor((Math.floor(left / 1000) + 30) / 60)
  const isHours = minutes >= 90
  const number = isHours ? Math.floor((minutes + 30) / 60) : Math.max(minutes, 1)
  return fill(labels.backIn, '{time}', fill(isHours ? labels.hours : labels.minutes, '{n}', number))
}
