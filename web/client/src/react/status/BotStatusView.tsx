'use client'

import type { Locale } from 'date-fns'
import { formatDistanceToNow } from 'date-fns/formatDistanceToNow'
import { useState } from 'react'
import type { Look, Retry } from '../../core/look.js'
import { Announcement } from './Announcement.js'
import { fill, LABELS, type BotStatusLabels } from './labels.js'
import { SHAPES } from './shapes.js'
import { useTick } from './useTick.js'
import { words } from './words.js'

/** What both forms of `BotStatus` take for their looks. */
export interface BotStatusAppearance {
  /** Classes of the outermost element. */
  className?: string | undefined
  /** Words in place of ours; {@link BotStatusLabels} has them all. */
  labels?: Partial<BotStatusLabels> | undefined
  /** A locale of date-fns, for "5 minutes ago". */
  locale?: Locale | undefined
  /** Whether a change of the state is told to screen readers; true if left out. Lists would say too much. */
  announce?: boolean | undefined
}

interface BotStatusViewProps extends BotStatusAppearance {
  look: Look
  onReconnect?: (() => void) | undefined
}

/** Shows what it is given. It may stand within a paragraph: there is nothing in it that may not. */
export function BotStatusView({ look, onReconnect, className, labels: given, locale, announce = true }: BotStatusViewProps) {
  const mayReadClock = useTick()
  const [held, hold] = useState<Retry>()
  const { state, reason, lastHeartbeat = '', clockOffset = 0, retry } = look
  const labels = { ...LABELS, ...given }
  const word = words(look, Date.now() + clockOffset, labels)
  // Clocks differ, and nobody was seen in the future.
  const seen = Math.min(Date.parse(lastHeartbeat) - clockOffset, Date.now())
  // Who has the focus on the button keeps it until there is an outcome. Meanwhile it says what goes on.
  const kind = retry || (look.isSettled ? undefined : held)
  const isBusy = !retry || undefined
  const isWord = isBusy && kind === 'retry'
  // A button that goes is not told that it has lost the focus.
  if (held && held !== kind) hold(kind)

  return (
    <span
      data-guildpulse=""
      data-part="root"
      data-state={state}
      data-reason={reason}
      data-muted={look.isMuted}
      className={className}
    >
      <span data-part="dot" aria-hidden="true">
        {/* Another one for each sign of life, and each is shown once. */}
        {look.pulse ? <span key={look.pulse} data-part="pulse" /> : null}
        <svg viewBox="0 0 24 24" width="12" height="12" fill="currentColor" fillRule="evenodd">
          <path d={SHAPES[state] ?? SHAPES.unknown} />
        </svg>
      </span>
      <span data-part="body">
        {!isWord && <span data-part="word">{word}</span>}
        {seen > 0 && (
          <time
            data-part="last-seen"
            dateTime={lastHeartbeat}
            title={mayReadClock ? new Date(seen).toLocaleString(locale?.code) : undefined}
          >
            {/* It keeps its line until then, so that nothing moves. */}
            {mayReadClock
              ? fill(labels.lastSeen, '{time}', formatDistanceToNow(seen, { addSuffix: true, ...(locale && { locale }) })) +
                (look.version ? fill(labels.version, '{version}', look.version) : '')
              : '\u00a0'}
          </time>
        )}
        {look.checkDiscord && <span data-part="hint">{labels.checkDiscord}</span>}
        {kind && (
          <span data-part="action">
            {kind === 'retryLive' && `${labels.polling} · `}
            <button
              type="button"
              data-part="retry"
              data-label={kind}
              // It is never disabled: who has pressed it would lose the focus to nowhere.
              aria-disabled={isBusy}
              aria-busy={isBusy}
              onClick={() => isBusy || onReconnect?.()}
              onFocus={() => hold(kind)}
              onBlur={() => hold(undefined)}
            >
              {isWord ? word : isBusy ? labels.connecting : labels[kind]}
            </button>
          </span>
        )}
      </span>
      {announce && <Announcement of={`${state} ${reason}`} word={word} />}
    </span>
  )
}
