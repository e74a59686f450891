import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { GuildStatusConnection } from '../../src/core/guildStatus.js'
import type { Follower, GuildStatusSource } from '../../src/core/snapshot.js'
import type { GuildStatus } from '../../src/core/status.js'
import { World, type Answer } from '../world.js'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../../protocol/fixtures/${name}`, import.meta.url), 'utf8'))
const ONLINE: GuildStatus = read('status-online.json')
const GUILD = ONLINE.guildId
const status = (revision: string, more: Partial<GuildStatus> = {}): GuildStatus => ({ ...ONLINE, revision, ...more })

let world: World
let connection: GuildStatusConnection
let unfollow: () => void
const onParseError = vi.fn()
const onUnauthorized = vi.fn()

const follow = (follower: Partial<Follower> = {}, source: Partial<GuildStatusSource> = {}) => {
  connection = new GuildStatusConnection({ guildId: GUILD, ...source }, world)
  unfollow = connection.follow({ onChange() {}, onParseError, onUnauthorized, ...follower })
}
const now = () => connection.getSnapshot()
const revision = () => now().status?.revision
const hello = (more = {}) =>
  world.source.send(
    { protocol: 1, snapshotIntervalMs: 15_000, retryMs: 2417, now: new Date(world.now()).toISOString(), boot: 12, ...more },
    'hello',
  )
/** The newest connection opens and says what a server says first. */
const greet = (first = '12.1') => {
  world.source.open()
  hello()
  world.source.send(status(first))
}
/** A server whose stream says something each 15 s. */
const live = async (ms: number, revision = '12.1') => {
  for (let passed = 0; passed < ms; passed += 15_000) {
    await world.pass(15_000)
    world.source.send(status(revision))
  }
}
const answer = (...answers: Answer[]) => {
  world.answers = () => answers.shift() ?? new Error('nobody answers')
}

beforeEach(() => {
  vi.resetAllMocks()
  world = new World()
  follow()
})

describe('a stream is confirmed', () => {
  test('by a status, and not by being open', async () => {
    world.source.open()
    expect(now()).toMatchObject({ connectionState: 'connected', isConfirmed: false })
    greet()
    expect(now()).toMatchObject({ isConfirmed: true, frames: 1 })
    expect(revision()).toBe('12.1')
  })

  test('within 5 s, or else it has failed', async () => {
    world.source.open()
    hello()
    await world.pass(4999)
    expect(now().connectionState).toBe('connected')
    await world.pass(1)
    expect(now().connectionState).toBe('disconnected')
  })

  test('and then nothing is polled, whatever the page does', async () => {
    greet()
    for (let minute = 0; minute < 10; minute++) {
      await live(60_000)
      world.turn('visible')
      world.turn('online')
    }
    expect(world.requests).toEqual([])
    expect(world.sources).toHaveLength(1)
  })

  test('until it is silent for 2.5 intervals', async () => {
    greet()
    answer({ json: status('12.1') })
    await world.pass(37_499)
    expect(now().isConfirmed).toBe(true)
    await world.pass(1)
    expect(now()).toMatchObject({ isConfirmed: false, connectionState: 'disconnected' })
    expect(world.open).toEqual([])
  })

  test('for ever, if no interval was announced', async () => {
    world.source.open()
    world.source.send(status('12.1'))
    await world.pass(3_600_000)
    expect(now().isConfirmed).toBe(true)
  })
})

describe('a stream that is late', () => {
  test.each([
    ['goes on if nothing was missed', { json: status('12.1') }, true],
    ['has ended if something was', { json: status('12.2') }, false],
    ['has ended if nobody answers', new Error('down'), false],
  ])('%s', async (_, answered, stays) => {
    greet()
    answer(answered)
    await world.pass(19_499)
    expect(world.requests).toEqual([])
    await world.pass(1)
    expect(world.requests.length).toBeGreaterThan(0)
    expect(now().isConfirmed).toBe(stays)
  })

  test('is not asked about while the page is hidden', async () => {
    greet()
    world.turn('hidden')
    await world.pass(20_000)
    expect(world.requests).toEqual([])
  })
})

describe('of two statuses', () => {
  test('of a poll and a stream, an answer to what was asked before the event is too late', async () => {
    const poll = connection.poll()
    await world.pass(100)
    greet('12.10')
    world.requests[0]?.answer({ json: status('12.9') })
    expect((await poll).revision).toBe('12.10')
    expect(revision()).toBe('12.10')
  })

  test('a newer answer counts although it was asked for before', async () => {
    const poll = connection.poll()
    await world.pass(100)
    greet('12.9')
    world.requests[0]?.answer({ json: status('12.10') })
    await poll
    expect(revision()).toBe('12.10')
  })

  test.each(['9.1', '12.3'])('the first on a new connection counts, whatever the server has lost (%s)', async (first) => {
    greet('12.10')
    world.source.drop()
    await world.pass(5000)
    greet(first)
    expect(revision()).toBe(first)
  })

  test('an older one later on a connection does not', () => {
    greet('12.10')
    world.source.send(status('12.9'))
    expect(revision()).toBe('12.10')
  })

  test('an answer counts that was asked for after the last event, though the clock went back between', async () => {
    const parse = (data: unknown) => data as GuildStatus
    unfollow()
    follow({}, { parse })
    world.source.open()
    world.source.send(status('', { state: 'online' }))
    world.turnBack(3_600_000)
    world.answers = () => ({ json: status('', { state: 'offline' }) })
    await connection.poll()
    expect(now().status?.state).toBe('offline')
  })

  test('of a server without revisions, an answer counts if it was asked for after the last event', async () => {
    unfollow()
    follow({}, { parse: (data) => ({ ...ONLINE, revision: '', version: String(data) }) })
    const early = connection.poll()
    await world.pass(100)
    world.source.open()
    world.source.send('"2"')
    world.requests[0]?.answer({ json: 1 })
    await early
    expect(now().status?.version).toBe('2')
    await world.pass(100)
    const later = connection.poll()
    world.requests[1]?.answer({ json: 3 })
    await later
    expect(now().status?.version).toBe('3')
    world.source.send('"4"')
    expect(now().status?.version).toBe('4')
  })
})

describe('bad data', () => {
  test.each(['no JSON', '{"guildId":1}', JSON.stringify(status('12.2', { guildId: '7' }))])(
    'on the stream is told and passed over: %s',
    (data) => {
      greet()
      world.source.send(data)
      expect(onParseError).toHaveBeenCalledOnce()
      expect(revision()).toBe('12.1')
      expect(now().connectionState).toBe('connected')
    },
  )

  test('in an answer is told and passed over', async () => {
    const poll = connection.poll()
    world.requests[0]?.answer({ json: { guildId: GUILD } })
    await expect(poll).rejects.toThrow('healthy: expected')
    expect(onParseError).toHaveBeenCalledOnce()
    expect(now().status).toBeUndefined()
  })
})

describe('without a stream', () => {
  test('it is asked at once, and each minute until there is one', async () => {
    world.answers = () => ({ json: status('12.1') })
    world.source.drop()
    await world.settle()
    expect(world.requests).toHaveLength(1)
    expect(revision()).toBe('12.1')
    for (let minute = 1; minute < 5; minute++) {
      await world.pass(60_000)
      expect(world.requests).toHaveLength(minute + 1)
      for (const source of world.open) source.drop()
    }
  })

  test('an answer has to come within 10 s', async () => {
    const poll = connection.poll()
    const failed = expect(poll).rejects.toThrow('there was no answer within 10 s')
    await world.pass(10_000)
    await failed
  })

  test('a hidden page does not ask', async () => {
    world.turn('hidden')
    world.source.drop()
    await world.pass(50_000)
    expect(world.requests).toEqual([])
  })

  test('who asks meanwhile waits for the same answer', () => {
    expect(connection.poll()).toBe(connection.poll())
    expect(world.requests).toHaveLength(1)
  })

  test('followers who ask themselves are told when', async () => {
    const onPollNeeded = vi.fn()
    unfollow()
    follow({ onPollNeeded })
    world.source.drop()
    await world.pass(300_000)
    expect(onPollNeeded).toHaveBeenCalledOnce()
    expect(world.requests).toEqual([])
  })
})

describe('what an answer says of the stream', () => {
  test.each([
    [401, 'signed-out', 1],
    [403, 'forbidden', 0],
  ])('%d: nothing is asked any more', async (code, access, told) => {
    answer({ status: code })
    world.source.refuse()
    await world.pass(600_000)
    expect(now()).toMatchObject({ access, connectionState: 'error' })
    expect(onUnauthorized).toHaveBeenCalledTimes(told)
    expect([world.requests.length, world.sources.length]).toEqual([1, 1])
    connection.reconnect()
    expect(world.open).toHaveLength(1)
  })

  test('429 with Retry-After to who is out: no stream is opened', async () => {
    answer({ status: 401 })
    world.source.refuse()
    await world.settle()
    answer({ status: 429, headers: { 'retry-after': '30' } })
    await connection.poll().catch(() => {})
    await world.pass(60_000)
    expect([now().access, world.sources.length]).toEqual(['signed-out', 1])
  })

  test('404: there is nothing to stream, so it is only polled', async () => {
    world.answers = () => ({ status: 404 })
    world.source.refuse()
    await world.pass(600_000)
    expect(world.sources).toHaveLength(1)
    expect(world.requests).toHaveLength(11)
  })

  /** The answer to the stream is none, so often. */
  const refuse = async (times: number) => {
    for (let refusal = 0; refusal < times; refusal++) {
      world.source.refuse()
      await world.pass(4000)
    }
  }

  describe('a status, while the answer to the stream is none again and again', () => {
    /** Returns the number of attempts. */
    const streamless = async (chance = 0) => {
      world.answers = () => ({ json: status('12.1') })
      await refuse(3)
      world.chance = chance
      await refuse(1)
      expect(now().connectionState).toBe('error')
      return world.sources.length
    }

    test('it is only polled', async () => {
      const attempts = await streamless()
      await world.pass(145_000)
      expect([now().connectionState, world.sources.length]).toEqual(['error', attempts])
      expect(world.requests).toHaveLength(3)
    })

    test.each([0, 0.5, 0.999])('the stream is tried each 2.5 to 7.5 minutes without a word (chance %d)', async (chance) => {
      let attempts = await streamless(chance)
      await world.pass(300_000 * (0.5 + chance) - 4001)
      expect(world.sources).toHaveLength(attempts)
      for (let round = 0; round < 3; round++) {
        await world.pass(1)
        expect(world.sources).toHaveLength(++attempts)
        world.source.refuse()
        expect(now().connectionState).toBe('error')
        await world.pass(300_000 * (0.5 + chance) - 1)
        expect(world.sources).toHaveLength(attempts)
      }
      expect(world.requests.length).toBeGreaterThanOrEqual(10)
      await world.pass(1)
      greet()
      expect(now()).toMatchObject({ connectionState: 'connected', isConfirmed: true })
    })

    test('a stream that somebody asked for meanwhile, and got, is left alone', async () => {
      const attempts = await streamless()
      connection.reconnect()
      greet()
      await live(600_000)
      expect([now().isConfirmed, world.sources.length]).toEqual([true, attempts + 1])
    })

    test('who follows anew asks anew', async () => {
      const attempts = await streamless()
      unfollow()
      await world.pass(1)
      unfollow = connection.follow({ onChange() {} })
      expect(world.sources).toHaveLength(attempts + 1)
    })

    test('a hidden page tries it once it is seen', async () => {
      const attempts = await streamless()
      world.turn('hidden')
      await world.pass(600_000)
      expect(world.sources).toHaveLength(attempts)
      world.turn('visible')
      expect(world.sources).toHaveLength(attempts + 1)
    })
  })

  test('nothing of use either: the whole server is away, and streams again when it is back', async () => {
    world.answers = () => ({ status: 502 })
    await refuse(6)
    world.answers = () => ({ json: status('12.1') })
    world.turn('hidden')
    await world.pass(60_000)
    world.turn('visible')
    await world.pass(1)
    expect(now()).toMatchObject({ connectionState: 'connecting', status: { revision: '12.1' } })
    greet()
    await live(600_000)
    expect(now()).toMatchObject({ connectionState: 'connected', isConfirmed: true })
  })

  test('a status, once, between refusals: it may have come back for that first', async () => {
    world.answers = () => ({ status: 502 })
    await refuse(3)
    world.answers = () => ({ json: status('12.1') })
    void connection.poll()
    await world.pass(1)
    await refuse(2)
    await world.pass(15_000)
    greet()
    expect(now()).toMatchObject({ connectionState: 'connected', isConfirmed: true })
  })

  test('429 with a long Retry-After: nothing is asked until then, unless somebody wishes it', async () => {
    world.answers = () => ({ status: 429, headers: { 'retry-after': '300' } })
    world.source.refuse()
    await world.pass(299_999)
    expect([world.requests.length, world.sources.length]).toEqual([1, 1])
    await world.pass(1)
    expect([world.requests.length, world.sources.length]).toEqual([2, 2])
    connection.reconnect()
    expect([world.requests.length, world.sources.length]).toEqual([3, 3])
  })

  test('503 with Retry-After: the stream waits as long', async () => {
    answer({ status: 503, headers: { 'retry-after': '30' } })
    world.source.refuse()
    await world.pass(29_999)
    expect(world.sources).toHaveLength(1)
    await world.pass(1)
    expect(world.sources).toHaveLength(2)
  })
})

describe('when the retries are spent', () => {
  const spend = async () => {
    world.answers = () => ({ json: status('12.1') })
    for (let failure = 0; failure < 4; failure++) {
      world.source.drop()
      await world.pass(4000)
    }
    expect(now().connectionState).toBe('error')
  }

  test.each([0, 0.5, 0.999])('it goes on trying each 5 to 15 s without a word (chance %d)', async (chance) => {
    await spend()
    world.chance = chance
    world.source.drop()
    const before = world.sources.length
    await world.pass(15_000)
    expect(world.sources.length).toBeGreaterThan(before)
    expect(now().connectionState).toBe('error')
    greet()
    expect(now()).toMatchObject({ connectionState: 'connected', isConfirmed: true })
  })

  test.each(['visible', 'online', 'show'] as const)('it tries at once on %s', async (change) => {
    await spend()
    const before = world.sources.length
    world.turn(change)
    expect(world.sources.length).toBe(before + 1)
  })

  test('a page that is hidden for a moment tries when it is online again', async () => {
    await spend()
    world.turn('hidden')
    const before = world.sources.length
    world.turn('online')
    expect(world.sources.length).toBe(before + 1)
  })

  test('a hidden page does not try', async () => {
    await spend()
    world.turn('hidden')
    const before = world.sources.length
    await world.pass(50_000)
    expect(world.sources.length).toBe(before)
  })
})

describe('a goodbye', () => {
  const goodbye = (reason: string, retryAfterMs = 3000) => world.source.send({ reason, retryAfterMs }, 'goodbye')

  test.each(['shutdown', 'max_age'])('%s: comes back when it is told to, and spends no retry', async (reason) => {
    for (let round = 0; round < 10; round++) {
      greet()
      goodbye(reason)
      expect(world.open).toEqual([])
      await world.pass(2999)
      expect(world.open).toEqual([])
      await world.pass(1)
      expect(world.open).toHaveLength(1)
    }
  })

  test.each(['expired', 'revoked'])('%s: asks once, and is out if the answer says so', async (reason) => {
    greet()
    answer({ status: 401 })
    goodbye(reason)
    await world.pass(600_000)
    expect(now().access).toBe('signed-out')
    expect(world.requests).toHaveLength(1)
    expect(onUnauthorized).toHaveBeenCalledOnce()
  })

  test('expired: goes on if the credential was renewed', async () => {
    greet()
    answer({ json: status('12.1') })
    goodbye('expired')
    await world.settle()
    expect(world.open).toHaveLength(1)
  })

  test('of somebody else means nothing', () => {
    world.source.open()
    world.source.send(status('12.1'))
    goodbye('expired')
    expect(now().isConfirmed).toBe(true)
    hello({ protocol: 2 })
    goodbye('shutdown')
    expect(now().isConfirmed).toBe(true)
  })
})

test('after a stable connection the first retry is not sooner than the server wishes', async () => {
  greet()
  world.source.drop()
  await world.pass(2416)
  expect(world.open).toEqual([])
  await world.pass(1)
  expect(world.open).toHaveLength(1)
})

test('a stream that is cut each minute is as good as one that is not', async () => {
  const states = new Set<string>()
  world.answers = () => ({ json: status('12.1') })
  for (let minute = 0; minute < 10; minute++) {
    greet()
    await live(45_000)
    world.source.drop()
    states.add(now().connectionState)
    await world.pass(2417)
  }
  expect([...states]).toEqual(['disconnected'])
})

describe('a page', () => {
  test('that is hidden for a minute is not connected, and is again when it is seen', async () => {
    greet()
    world.answers = () => ({ json: status('12.2') })
    world.turn('hidden')
    await live(45_000)
    expect(world.open).toHaveLength(1)
    await world.pass(15_000)
    expect(world.open).toEqual([])
    await world.pass(600_000)
    expect([world.sources.length, world.requests.length]).toEqual([1, 0])
    world.turn('visible')
    await world.settle()
    expect([world.open.length, world.requests.length]).toEqual([1, 1])
  })

  test('that is only looked away from stays connected', async () => {
    greet()
    world.turn('hidden')
    await live(45_000)
    world.turn('visible')
    await live(60_000)
    expect(world.sources).toHaveLength(1)
  })

  test('that is left is not connected, and is again on the way back', async () => {
    greet()
    world.turn('hide')
    expect(world.open).toEqual([])
    world.turn('show')
    expect(world.open).toHaveLength(1)
  })

  test('whose machine slept does not trust its stream', () => {
    greet()
    world.sleep(7_200_000)
    world.turn('visible')
    expect(world.sources).toHaveLength(2)
    expect(world.open).toHaveLength(1)
  })
})

describe('followers', () => {
  test('share a connection, and the last of them closes it', async () => {
    const second = connection.follow({ onChange() {} })
    unfollow()
    await world.pass(1000)
    expect(world.open).toHaveLength(1)
    second()
    await world.pass(100)
    expect(world.open).toEqual([])
    expect(world.isIdle).toBe(true)
  })

  test('who leave and come back at once keep it', async () => {
    unfollow()
    unfollow = connection.follow({ onChange() {} })
    await world.pass(1000)
    expect(world.sources).toHaveLength(1)
  })

  test('see the same snapshot until something changes', () => {
    greet()
    const before = now()
    world.turn('online')
    expect(now()).toBe(before)
  })
})

test('the server’s clock is known', () => {
  world.source.open()
  hello({ now: new Date(world.now() + 90_000).toISOString() })
  expect(now().clockOffset).toBe(90_000)
})
