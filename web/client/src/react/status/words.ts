import { fill, LABELS, type BotStatusLabels } from './labels.js'
import type { Look } from '../../core/look.js'

/** The sentence for what is to be seen; protocol/words.json lists those for a status. `now` is the server's time. */
export function words(
  { state, reason, expectedBack }: Pick<Look, 'state' | 'reason' | 'expectedBack'>,
  now: number,
  labels: BotStatusLabels = LABELS,
): string {
  const word = lookUp(labels, state)
  let more = reason && lookUp(labels.reasons, reason)
  if (state === 'maintenance') more = expectedBack && back(Date.parse(expectedBack) - now, labels)
  else if (reason === 'discord_outage' || reason === 'never_seen') return labels[reason]
  return more ? fill(labels.stateWithMore, { state: word, more }) : word
}

/** A word of a newer server is shown as it came, also if objects have something of that name. */
function lookUp(words: object, name: string): string {
  return Object.hasOwn(words, name) ? (words as Record<string, string>)[name]! : name.replaceAll('_', ' ')
}

/** When the bot means to be back, which somebody has guessed: nobody means the second. */
function back(ms: number, labels: BotStatusLabels): string {
  if (!(ms > 0)) return labels.backAnyMoment
  const minutes = Math.round(ms / 60_000)
  const duration =
    minutes < 90 ? fill(labels.minutes, { n: Math.max(minutes, 1) }) : fill(labels.hours, { n: Math.round(minutes / 60) })
  return fill(labels.backIn, { duration })
}
