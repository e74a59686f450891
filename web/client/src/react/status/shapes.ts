import type { BotStatusState } from '../../core/look.js'

const DISC = 'M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20Z'
// What is drawn twice is a hole.
const RING = `${DISC}M12 6a6 6 0 1 1 0 12 6 6 0 0 1 0-12Z`
const DOTS = 'M10 2h4v4h-4zM18 10h4v4h-4zM10 18h4v4h-4zM2 10h4v4H2z'

/** A shape of its own for each state, for who cannot tell the colours. */
export const SHAPES: Record<BotStatusState, string> = {
  online: DISC,
  reconnecting: 'M11 13V2a10 10 0 1 0 11 11Z',
  offline: RING,
  maintenance: 'M4 3h6v18H4zM14 3h6v18h-6z',
  unavailable: RING + DOTS,
  unknown: DOTS,
  connecting: 'M2 10h4v4H2zM10 10h4v4h-4zM18 10h4v4h-4z',
  error: 'M12 1 24 22H0ZM10 8h4v6h-4zM10 16h4v4h-4z',
  'signed-out': 'M6 10V2h12v8h2v12H4V10ZM9 10h6V5H9z',
  forbidden: `${DISC}M6 10h12v4H6z`,
}
