'use client'

import type { Locale } from 'date-fns'
import { useState } from 'react'
import { Announcement } from './Announcement.js'
import { Dot } from './Dot.js'
import type { BotStatusLabels } from './labels.js'
import { LastSeen } from './LastSeen.js'
import type { Look } from './look.js'
import { RetryButton } from './RetryButton.js'

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

interface BotStatusViewProps {
  look: Look
  /** Changes with each sign of life. */
  frame: string | number
  /** The connection is there, so that nobody waits for what a retry brings. */
  isSettled: boolean
  onRetry: (() => void) | undefined
  labels: BotStatusLabels
  className: string | undefined
  locale: Locale | undefined
  announce: boolean | undefined
}

const DETAIL = 'text-xs text-(--guildpulse-detail-color)'

/** Shows what it is given. It may stand within a paragraph: there is nothing in it that may not. */
export function BotStatusView(props: BotStatusViewProps) {
  const { look, frame, isSettled, onRetry, labels, className = '', locale, announce = true } = props
  const { state, reason, word, isMuted = false, lastSeen, checkDiscord = false, retry } = look
  const [hasFocus, setHasFocus] = useState(false)
  const [lastRetry, setLastRetry] = useState(retry)
  if (retry && retry !== lastRetry) setLastRetry(retry)
  // Who has pressed the button keeps it until there is an outcome. Meanwhile it says what goes on, in place of the word.
  const isHeld = !retry && hasFocus && !isSettled
  const kind = retry ?? (isHeld ? lastRetry : undefined)
  const isWord = isHeld && kind === 'connection'

  return (
    <span
      data-guildpulse=""
      data-part="root"
      data-state={state}
      data-reason={reason ?? undefined}
      data-muted={isMuted || undefined}
      className={`relative flex w-fit items-start gap-2 ${className}`}
    >
      <Dot state={state} frame={frame} />
      <span data-part="body" className="flex flex-col items-start">
        {!isWord && (
          <span data-part="word" className="text-sm font-medium text-(--guildpulse-color)">
            {word}
          </span>
        )}
        {lastSeen && <LastSeen {...lastSeen} labels={labels} locale={locale} />}
        {checkDiscord && (
          <span data-part="hint" className={DETAIL}>
            {labels.checkDiscord}
          </span>
        )}
        {kind && (
          <span key="retry" data-part="action" className={kind === 'live' ? DETAIL : 'text-xs text-(--guildpulse-color)'}>
            {kind === 'live' && `${labels.polling} · `}
            <RetryButton
              key="button"
              label={isWord ? word : isHeld ? labels.connecting : kind === 'live' ? labels.retryLive : labels.retry}
              isBusy={isHeld}
              of={kind === 'connection' ? 'whole' : 'detail'}
              onRetry={onRetry}
              onFocusChange={setHasFocus}
            />
          </span>
        )}
      </span>
      {announce && <Announcement of={`${state} ${reason ?? ''}`} word={word} />}
    </span>
  )
}
