import type { Look } from '../../core/look.js'
import { fill, LABELS, say, type BotStatusLabels } from './labels.js'

/** The sentence for what is to be seen; protocol/words.json lists those for a status. `now` is the server's time. */
export function words(
  { state, reason, expectedBack = '' }: Pick<Look, 'state' | 'reason' | 'expectedBack'>,
  now: number,
  labels: BotStatusLabels = LABELS,
): string {
  if (reason === 'discord_outage' || reason === 'never_seen') return say(reason, labels)
  const said = say(state === 'reconnecting' ? 'online' : state, labels)
  const more = state === 'maintenance' ? back(Date.parse(expectedBack) - now, labels) : reason && say(reason, labels)
  return more ? `${said} · ${more}` : said
}

/** A time that somebody has guessed: nobody means the second. */
function back(ms: number, labels: BotStatusLabels): string {
  if (Number.isNaN(ms)) return ''
  if (ms <= 0) return labels.backSoon
  const minutes = Math.round(ms / 60_000)
  const isHours = minutes >= 90
  const number = isHours ? Math.round(minutes / 60) : Math.max(minutes, 1)
  return fill(labels.backIn, '{time}', fill(isHours ? labels.hours : labels.minutes, '{n}', number))
}
