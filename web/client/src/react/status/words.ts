import type { GuildStatus } from '../../core/status.js'
import { fill, LABELS, type BotStatusLabels } from './labels.js'

/** The sentence for a status; protocol/words.json lists them for all who make them. `now` is the server's time. */
export function words(
  { state, reason, expectedBack }: Pick<GuildStatus, 'state' | 'reason' | 'expectedBack'>,
  now: number,
  labels: BotStatusLabels = LABELS,
): string {
  if (state === 'maintenance') return restarting(expectedBack, now, labels)
  if (reason === 'discord_outage') return labels.discordOutage
  if (reason === 'never_seen') return labels.neverSeen
  const said = stateWord(state, labels)
  return reason ? fill(labels.stateWithReason, { state: said, reason: lookUp(labels.reasons, reason) }) : said
}

function stateWord(state: Exclude<GuildStatus['state'], 'maintenance'>, labels: BotStatusLabels): string {
  switch (state) {
    case 'online':
    case 'reconnecting':
      return labels.online
    case 'offline':
      return labels.offline
    case 'unavailable':
      return labels.unavailable
    case 'unknown':
      return labels.unknown
    default:
      return plain(state)
  }
}

function restarting(expectedBack: string | undefined, now: number, labels: BotStatusLabels): string {
  if (!expectedBack) return labels.restarting
  const left = Date.parse(expectedBack) - now
  return left > 0 ? fill(labels.restartingBackIn, { duration: about(left, labels) }) : labels.restartingAnyMoment
}

/** A time that somebody has guessed: nobody means the second. */
function about(ms: number, labels: BotStatusLabels): string {
  const minutes = Math.floor((Math.floor(ms / 1000) + 30) / 60)
  if (minutes < 90) return fill(labels.minutes, { n: Math.max(minutes, 1) })
  return fill(labels.hours, { n: Math.floor((minutes + 30) / 60) })
}

/** A word of a newer server is shown as it came, also if objects have something of that name. */
function lookUp(reasons: Readonly<Record<string, string>>, reason: string): string {
  return Object.hasOwn(reasons, reason) ? reasons[reason]! : plain(reason)
}

function plain(word: string): string {
  return word.replaceAll('_', ' ')
}
