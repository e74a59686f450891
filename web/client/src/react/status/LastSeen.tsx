'use client'

import type { Locale } from 'date-fns'
import { formatDistanceToNow } from 'date-fns/formatDistanceToNow'
import { fill, type BotStatusLabels } from './labels.js'
import type { Look } from './look.js'
import { useTick } from './useTick.js'

type LastSeenProps = NonNullable<Look['lastSeen']> & { labels: BotStatusLabels; locale: Locale | undefined }

/** When the bot was seen last, in words that grow older. */
export function LastSeen({ at, clockOffset, version, labels, locale }: LastSeenProps) {
  const mayReadClock = useTick()
  const time = Date.parse(at)
  if (Number.isNaN(time)) return null
  const known = { 'data-part': 'last-seen', dateTime: at }
  // It keeps its line until then, so that nothing moves.
  if (!mayReadClock) return <time {...known}>{'\u00a0'}</time>
  // Clocks differ, and nobody was seen in the future.
  const seen = Math.min(time - clockOffset, Date.now())
  const ago = formatDistanceToNow(seen, { addSuffix: true, ...(locale && { locale }) })
  const text = fill(labels.lastSeen, { time: ago }) + (version ? fill(labels.version, { version }) : '')
  return (
    <time {...known} title={new Date(seen).toLocaleString(locale?.code)}>
      {text}
    </time>
  )
}
