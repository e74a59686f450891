'use client'

import type { BotStatusState } from './look.js'

/** Dots on a ring. */
const DOTS = '0.01 8.368'

/** A shape of its own for each state, for who cannot tell the colours: a path, or the dashes of a ring. */
const SHAPES: Record<BotStatusState, string> = {
  online: 'M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20Z',
  reconnecting: 'M11 13V2.05A10 10 0 1 0 21.95 13Z',
  offline: '99',
  maintenance: 'M4 3h6v18H4zM14 3h6v18h-6z',
  unavailable: '4.19 8.38',
  unknown: DOTS,
  connecting: 'M1 9.5h5v5H1zM9.5 9.5h5v5h-5zM18 9.5h5v5h-5z',
  error: 'M12 1 23.5 22H.5ZM10.5 8h3v7h-3ZM10.5 16.5h3v3h-3Z',
  'signed-out': 'M7 10V7a5 5 0 0 1 10 0v3h3v12H4V10Zm3 0h4V7a2 2 0 0 0-4 0Z',
  forbidden: 'M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20ZM6 10.3v3.4h12v-3.4Z',
}

/** The mark of a state. `frame` is another one for each sign of life, and each is shown once. */
export function Dot({ state, frame }: { state: BotStatusState; frame: string | number }) {
  const shape = SHAPES[state] ?? DOTS
  return (
    <span data-part="dot" aria-hidden="true" className="relative mt-1 inline-flex size-3 shrink-0 text-(--guildpulse-color)">
      {frame !== '' && frame !== 0 && (
        <span
          key={frame}
          data-part="pulse"
          className="absolute inset-0 rounded-full bg-current motion-safe:animate-ping motion-safe:[animation-iteration-count:1] motion-safe:[animation-fill-mode:forwards] motion-reduce:hidden forced-colors:hidden"
        />
      )}
      <svg viewBox="0 0 24 24" width="12" height="12" className="relative size-full">
        {shape[0] === 'M' ? (
          <path d={shape} fill="currentColor" fillRule="evenodd" />
        ) : (
          <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" strokeWidth="4" strokeLinecap="round" strokeDasharray={shape} />
        )}
      </svg>
    </span>
  )
}
