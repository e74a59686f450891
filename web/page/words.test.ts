import { expect, test } from 'vitest'

import table from '../../protocol/words.json' with { type: 'json' }
import { duration, type State, words } from './words.js'

test.each(table)('$state because of $reason is told as: $words', ({ state, reason, leftMs, words: told }) => {
  const expectedBack = leftMs === undefined ? undefined : new Date(leftMs).toISOString()
  expect(words({ state: state as State, reason, expectedBack }, 0)).toBe(told)
})

test.each([
  [-5, '0 s'],
  [0, '0 s'],
  [59_499, '59 s'],
  [59_500, '1 min'],
  [3_599_000, '59 min'],
  [3_600_000, '1 h'],
  [86_399_000, '23 h'],
  [86_400_000, '1 day'],
  [40 * 86_400_000, '40 days'],
])('%d ms are told as %s', (ms, told) => {
  expect(duration(ms)).toBe(told)
})
