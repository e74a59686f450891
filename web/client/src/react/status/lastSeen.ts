import type { Locale } from 'date-fns'
import { formatDistanceToNow } from 'date-fns/formatDistanceToNow'
import { fill, type BotStatusLabels } from './labels.js'

/** When the bot was seen last, in words that grow older, and of which version it was. */
export function lastSeen(
  seen: number,
  version: string | null | undefined,
  labels: BotStatusLabels,
  locale: Locale | undefined,
): string {
  const time = formatDistanceToNow(seen, { addSuffix: true, ...(locale && { locale }) })
  return fill(labels.lastSeen, { time }) + (version ? fill(labels.version, { version }) : '')
}
