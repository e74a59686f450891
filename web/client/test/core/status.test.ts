import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compareRevisions, parseGoodbye, parseGuildStatus, parseHello, ParseError } from '../../src/core/status.js'

const FIXTURES = new URL('../../../../protocol/fixtures/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8')
const statuses = readdirSync(FIXTURES).filter((name) => /^status-.*\.json$/.test(name))

/** The events of a stream, read without the code that is tested. */
const events = (name: string) =>
  read(name)
    .split('\n\n')
    .map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))))

describe('a status', () => {
  test.each(statuses)('%s of the protocol is read as it is', (name) => {
    const data = JSON.parse(read(name))
    expect(parseGuildStatus(data, data.guildId)).toBe(data)
  })

  test('there are fixtures of all states', () => {
    const states = new Set(statuses.map((name) => JSON.parse(read(name)).state))
    expect([...states].sort()).toEqual(['maintenance', 'offline', 'online', 'reconnecting', 'unavailable', 'unknown'])
  })

  const good = JSON.parse(read('status-maintenance.json'))
  test.each([
    ['guildId', 81384788765712384],
    ['guildId', undefined],
    ['healthy', 'true'],
    ['state', 'dancing'],
    ['state', null],
    ['reason', 7],
    ['reason', undefined],
    ['lastHeartbeat', 'yesterday'],
    ['lastHeartbeat', null],
    ['version', 1.4],
    ['version', undefined],
    ['since', undefined],
    ['expectedBack', 12],
    ['shard', { id: '3', count: 16 }],
    ['shard', 3],
    ['revision', 12.9],
    ['revision', '12'],
    ['revision', '12.9.1'],
  ])('whose %s is %o is refused by that name', (field, value) => {
    expect(() => parseGuildStatus({ ...good, [field]: value })).toThrow(`${field}: expected`)
  })

  test.each([null, [], 'online', 7, undefined])('that is %o is refused', (data) => {
    expect(() => parseGuildStatus(data)).toThrow('status: expected an object')
  })

  test('of another guild is refused, and is handed out with the error', () => {
    const error = (() => {
      try {
        parseGuildStatus(good, '7')
      } catch (error) {
        return error
      }
    })()
    expect(error).toBeInstanceOf(ParseError)
    expect(error).toMatchObject({ name: 'ParseError', message: 'guildId: expected 7', received: good })
  })

  test('of a newer server may have more fields and reasons', () => {
    const newer = { ...good, reason: 'connection_lost', mood: 'fine' }
    expect(parseGuildStatus(newer)).toEqual(newer)
  })
})

describe('revisions', () => {
  test('are two integers and no decimal number', () => {
    expect(compareRevisions('12.9', '12.10')).toBeLessThan(0)
    expect(compareRevisions('12.10', '12.9')).toBeGreaterThan(0)
    expect(compareRevisions('12.10', '12.10')).toBe(0)
  })

  test('of different runs, or of somebody else, are not compared', () => {
    expect(compareRevisions('13.0', '12.9')).toBeUndefined()
    expect(compareRevisions('', '')).toBeUndefined()
  })
})

describe('control events', () => {
  test('are read as the protocol has them', () => {
    const hello = events('stream-head.sse').find((event) => event.event === 'hello')
    const data = JSON.parse(hello?.data ?? '')
    expect(parseHello(data)).toBe(data)
    for (const reason of ['shutdown', 'expired', 'revoked', 'max-age']) {
      const [goodbye] = events(`goodbye-${reason}.sse`)
      expect(parseGoodbye(JSON.parse(goodbye?.data ?? ''))?.reason).toBe(reason.replace('-', '_'))
    }
  })

  test.each([{ protocol: 2 }, { protocol: '1' }, { protocol: 1 }, null, 'hi', [], { user: 'somebody' }])(
    'of somebody else are none: %o',
    (data) => {
      expect(parseHello(data)).toBeUndefined()
      expect(parseGoodbye(data)).toBeUndefined()
    },
  )
})
