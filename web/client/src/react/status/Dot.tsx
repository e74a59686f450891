'use client'

import type { ReactNode } from 'react'
import type { BotStatusState } from './look.js'

const DISC = 'M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20Z'
const ring = (dashes?: string) => (
  <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" strokeWidth="4" strokeLinecap="round" strokeDasharray={dashes} />
)
const UNKNOWN = ring('0 8.378')

/** A shape of its own for each state, for who cannot tell the colours: the path of a filled one, or a ring. */
const SHAPES: Record<BotStatusState, ReactNode> = {
  online: DISC,
  reconnecting: 'M11 13V2.05A10 10 0 1 0 21.95 13Z',
  offline: ring(),
  maintenance: 'M4 3h6v18H4zM14 3h6v18h-6z',
  unavailable: ring('4.38 8.19'),
  unknown: UNKNOWN,
  connecting: 'M1 9.5h5v5H1zM9.5 9.5h5v5h-5zM18 9.5h5v5h-5z',
  error: 'M12 1 23.5 22H.5ZM10.5 8h3v7h-3ZM10.5 16.5h3v3h-3Z',
  'signed-out': 'M7 10V7a5 5 0 0 1 10 0v3h3v12H4V10Zm3 0h4V7a2 2 0 0 0-4 0Z',
  forbidden: `${DISC}M6 10.3v3.4h12v-3.4Z`,
}

/** The mark of a state. `pulse` is another one for each sign of life, and each is shown once. */
export function Dot({ state, pulse }: { state: BotStatusState; pulse: string | number | undefined }) {
  const shape = SHAPES[state] ?? UNKNOWN
  return (
    <span data-part="dot" aria-hidden="true">
      {pulse ? <span key={pulse} data-part="pulse" /> : null}
      <svg viewBox="0 0 24 24" width="12" height="12" fill="currentColor" fillRule="evenodd">
        {typeof shape === 'string' ? <path d={shape} /> : shape}
      </svg>
    </span>
  )
}
