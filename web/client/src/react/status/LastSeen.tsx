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
  // Clocks differ, and nobody was seen in the future.
  const seen = Math.min(time - clockOffset, Date.now())
  const ago = () => formatDistanceToNow(seen, { addSuffix: true, ...(locale && { locale }) })
  return (
    <time
      data-part="last-seen"
      dateTime={at}
      className="text-xs text-(--guildpulse-detail-color)"
      title={mayReadClock ? new Date(seen).toLocaleString(locale?.code) : undefined}
    >
      {/* It keeps its line until then, so that nothing moves. */}
      {mayReadClock ? fill(labels.lastSeen, '{time}', ago()) + (version ? fill(labels.version, '{version}', version) : '') : '\u00a0'}
    </time>
  )
}
