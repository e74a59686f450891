import type { BotStatusState } from './look.js'

const GRAY = 'text-[var(--guildpulse-unknown,var(--color-gray-600))] dark:text-[var(--guildpulse-unknown,var(--color-gray-400))]'

/** Tailwind finds a class only where it is written out. */
const COLOURS: Record<BotStatusState, string> = {
  online: 'text-[var(--guildpulse-online,var(--color-green-700))] dark:text-[var(--guildpulse-online,var(--color-green-400))]',
  reconnecting: 'text-[var(--guildpulse-reconnecting,var(--color-amber-700))] dark:text-[var(--guildpulse-reconnecting,var(--color-amber-400))]',
  offline: 'text-[var(--guildpulse-offline,var(--color-red-700))] dark:text-[var(--guildpulse-offline,var(--color-red-400))]',
  maintenance: 'text-[var(--guildpulse-maintenance,var(--color-blue-700))] dark:text-[var(--guildpulse-maintenance,var(--color-blue-400))]',
  unavailable: 'text-[var(--guildpulse-unavailable,var(--color-purple-700))] dark:text-[var(--guildpulse-unavailable,var(--color-purple-400))]',
  error: 'text-[var(--guildpulse-error,var(--color-yellow-700))] dark:text-[var(--guildpulse-error,var(--color-yellow-400))]',
  unknown: GRAY,
  connecting: GRAY,
  'signed-out': GRAY,
  forbidden: GRAY,
}

/** The colour of a state. What may be old has none. */
export function colourOf(state: BotStatusState, isMuted: boolean): string {
  return isMuted ? GRAY : (COLOURS[state] ?? GRAY)
}
