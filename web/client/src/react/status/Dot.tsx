import type { BotStatusState } from './look.js'

const DISC = 'M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20Z'
// What is drawn twice is a hole.
const RING = `${DISC}M12 6a6 6 0 1 1 0 12 6 6 0 0 1 0-12Z`
const DOTS = 'M10 2h4v4h-4zM18 10h4v4h-4zM10 18h4v4h-4zM2 10h4v4H2z'

/** A shape of its own for each state, for who cannot tell the colours. */
const SHAPES: Record<BotStatusState, string> = {
  online: DISC,
  reconnecting: 'M11 13V2.05A10 10 0 1 0 21.95 13Z',
  offline: RING,
  maintenance: 'M4 3h6v18H4zM14 3h6v18h-6z',
  unavailable: RING + DOTS,
  unknown: DOTS,
  connecting: 'M1 9.5h5v5H1zM9.5 9.5h5v5h-5zM18 9.5h5v5h-5z',
  error: 'M12 1 23.5 22H.5ZM10.5 8h3v7h-3ZM10.5 16.5h3v3h-3Z',
  'signed-out': 'M7 10V7a5 5 0 0 1 10 0v3h3v12H4V10Zm3 0h4V7a2 2 0 0 0-4 0Z',
  forbidden: `${DISC}M6 10.3v3.4h12v-3.4Z`,
}

/** The mark of a state. `pulse` is another one for each sign of life, and each is shown once. */
export function Dot({ state, pulse }: { state: BotStatusState; pulse: string | number | undefined }) {
  return (
    <span data-part="dot" aria-hidden="true">
      {pulse ? <span key={pulse} data-part="pulse" /> : null}
      <svg viewBox="0 0 24 24" width="12" height="12" fill="currentColor" fillRule="evenodd">
        <path d={SHAPES[state] ?? DOTS} />
      </svg>
    </span>
  )
}
