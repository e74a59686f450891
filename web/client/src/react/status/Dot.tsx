'use client'

import type { ReactNode } from 'react'
import type { BotStatusState } from './look.js'

const RING = { cx: 12, cy: 12, r: 8, fill: 'none', stroke: 'currentColor', strokeWidth: 4 }
const DOTS = <circle {...RING} strokeWidth="5" strokeLinecap="round" strokeDasharray="0.01 8.368" />

/** A shape of its own for each state, for who cannot tell the colours. */
const SHAPES: Record<BotStatusState, ReactNode> = {
  online: <circle cx="12" cy="12" r="10" fill="currentColor" />,
  reconnecting: <path d="M11 13V2.05A10 10 0 1 0 21.95 13Z" fill="currentColor" />,
  offline: <circle {...RING} />,
  maintenance: <path d="M4 3h6v18H4zM14 3h6v18h-6z" fill="currentColor" />,
  unavailable: <circle {...RING} strokeDasharray="8.38 4.19" />,
  unknown: DOTS,
  connecting: <path d="M1 9.5h5v5H1zM9.5 9.5h5v5h-5zM18 9.5h5v5h-5z" fill="currentColor" />,
  error: <path fillRule="evenodd" d="M12 1 23.5 22H.5ZM10.5 8h3v7h-3ZM10.5 16.5h3v3h-3Z" fill="currentColor" />,
  'signed-out': <path fillRule="evenodd" d="M7 10V7a5 5 0 0 1 10 0v3h3v12H4V10Zm3 0h4V7a2 2 0 0 0-4 0Z" fill="currentColor" />,
  forbidden: <path fillRule="evenodd" d="M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20ZM6 10.3v3.4h12v-3.4Z" fill="currentColor" />,
}

/** The mark of a state. `frame` is another one for each sign of life, and each is shown once. */
export function Dot({ state, frame }: { state: BotStatusState; frame: string | number }) {
  return (
    <span data-part="dot" aria-hidden="true">
      {frame !== '' && frame !== 0 && (
        <span key={frame} data-part="pulse" />
      )}
      <svg viewBox="0 0 24 24" width="12" height="12">
        {SHAPES[state] ?? DOTS}
      </svg>
    </span>
  )
}
