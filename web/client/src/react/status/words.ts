import { fill, LABELS, type BotStatusLabels } from './labels.js'
import type { Look } from './look.js'

/** The sentence for what is to be seen; protocol/words.json lists those for a status. `now` is the server's time. */
export function words(
  { state, reason, expectedBack }: Pick<Look, 'state' | 'reason' | 'expectedBack'>,
  now: number,
  labels: BotStatusLabels = LABELS,
): string {
  const word = lookUp(labels, state)
  if (state === 'maintenance') return expectedBack ? restarting(Date.parse(expectedBack) - now, labels) : word
  if (reason === 'discord_outage') return labels.discordOutage
  if (reason === 'never_seen') return labels.neverSeen
  return reason ? fill(labels.stateWithReason, { state: word, reason: lookUp(labels.reasons, reason) }) : word
}

/** A word of a newer server is shown as it came, also if objects have something of that name. */
function lookUp(words: object, name: string): string {
  return Object.hasOwn(words, name) ? (words as Record<string, string>)[name]! : name.replaceAll('_', ' ')
}

/** How long it takes yet, which somebody has guessed: nobody means the second. */
function restarting(ms: number, labels: BotStatusLabels): string {
  if (!(ms > 0)) return labels.restartingAnyMoment
  const minutes = Math.round(ms / 60_000)
  const duration =
    minutes < 90 ? fill(labels.minutes, { n: Math.max(minutes, 1) }) : fill(labels.hours, { n: Math.round(minutes / 60) })
  return fill(labels.restartingBackIn, { duration })
}
