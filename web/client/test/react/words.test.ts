import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fill, LABELS } from '../../src/react/status/labels.js'
import { words } from '../../src/react/status/words.js'

type Case = { state: string; reason: string | null; leftMs?: number; words: string }
const cases: Case[] = JSON.parse(readFileSync(new URL('../../../../protocol/words.json', import.meta.url), 'utf8'))

test.each(cases)('$state, $reason, $leftMs: $words', ({ state, reason, leftMs, words: expected }) => {
  const now = Date.UTC(2026, 10, 22, 20, 7)
  const expectedBack = leftMs === undefined ? {} : { expectedBack: new Date(now + leftMs).toISOString() }
  expect(words({ state: state as 'online', reason, ...expectedBack }, now)).toBe(expected)
})

test('words of objects in general are no words of ours', () => {
  expect(words({ state: 'offline', reason: 'constructor' }, 0)).toBe('Offline · constructor')
})

test('some words may be given, and ours stay for the others', () => {
  const labels = { ...LABELS, offline: 'Aus', fatal: 'abgewiesen' }
  expect(words({ state: 'offline', reason: 'fatal' }, 0, labels)).toBe('Aus · abgewiesen')
  expect(words({ state: 'offline', reason: 'goodbye' }, 0, labels)).toBe('Aus · shut down by its operator')
})

test('what fills a place is not filled again, and another place stays', () => {
  expect(fill(' - v{version} {other}', '{version}', '{version}$&')).toBe(' - v{version}$& {other}')
})
