/** What a connection says of time: that nothing was confirmed for too long, and what was known before a restart. */
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { GuildStatusConnection } from '../../src/core/guildStatus.js'
import type { GuildStatus } from '../../src/core/status.js'
import { World } from '../world.js'

const read = (name: string): GuildStatus =>
  JSON.parse(readFileSync(new URL(`../../../../protocol/fixtures/status-${name}.json`, import.meta.url), 'utf8'))
const ONLINE = read('online')
const RESTARTED = { ...read('unknown-server-restarted'), revision: '1795378999.1' }
const POLLS = 120_000

let world: World
let connection: GuildStatusConnection
let unfollow: () => void
const now = () => connection.getSnapshot()
const say = (status = ONLINE) => {
  world.source.open()
  world.source.send(status)
}

beforeEach(() => {
  world = new World()
  connection = new GuildStatusConnection({ guildId: ONLINE.guildId }, world)
  unfollow = connection.follow({ onChange() {} })
})

describe('a connection is lost', () => {
  beforeEach(() => {
    world.answers = () => new Error('nobody answers')
  })

  test('once nothing was confirmed for two polls', async () => {
    await world.pass(POLLS - 1)
    expect(now().isLost).toBe(false)
    await world.pass(1)
    expect(now().isLost).toBe(true)
  })

  test('counted from when the stream was, and not for as long as it is confirmed', async () => {
    say()
    await world.pass(3_600_000)
    expect(now().isLost).toBe(false)
    world.source.drop()
    await world.pass(POLLS - 1)
    expect(now().isLost).toBe(false)
    await world.pass(1)
    expect(now().isLost).toBe(true)
  })

  test('until a poll is answered, and then counted anew', async () => {
    await world.pass(POLLS)
    world.answers = () => ({ json: ONLINE })
    await connection.poll()
    expect(now().isLost).toBe(false)
    world.answers = () => new Error('nobody answers')
    await world.pass(POLLS - 1)
    expect(now().isLost).toBe(false)
    await world.pass(1)
    expect(now().isLost).toBe(true)
  })

  test('until a status comes on the stream', async () => {
    await world.pass(POLLS)
    connection.reconnect()
    expect(now().isLost, 'that is only an attempt').toBe(true)
    say()
    expect(now().isLost).toBe(false)
  })

  test('not while the page is hidden, and on return it is counted anew', async () => {
    world.turn('hidden')
    await world.pass(POLLS + 60_000)
    world.turn('visible')
    expect(now().isLost).toBe(false)
    await world.pass(POLLS - 1)
    expect(now().isLost).toBe(false)
    await world.pass(1)
    expect(now().isLost).toBe(true)
  })

  test('not while the machine sleeps, and then it is counted anew', async () => {
    await world.pass(60_000)
    world.sleep(8 * 3_600_000)
    await world.pass(POLLS - 1)
    expect(now().isLost).toBe(false)
    await world.pass(1)
    expect(now().isLost).toBe(true)
  })

  test('not when nobody follows any more, and it is forgotten', async () => {
    await world.pass(POLLS)
    unfollow()
    await world.pass(0)
    expect(now().isLost).toBe(false)
    world.answers = () => ({ json: ONLINE })
    await connection.poll()
    await world.pass(POLLS)
    expect(now().isLost).toBe(false)
  })
})

describe('what was known before the restart of the server', () => {
  test('is there for 5 s, beside the status', async () => {
    say()
    say(RESTARTED)
    expect(now()).toMatchObject({ status: RESTARTED, before: ONLINE })
    await world.pass(4999)
    say(RESTARTED)
    expect(now().before).toEqual(ONLINE)
    await world.pass(1)
    expect(now()).toMatchObject({ status: RESTARTED, before: undefined })
  })

  test('is nothing once there is news', () => {
    say()
    say(RESTARTED)
    say({ ...ONLINE, revision: '1795378999.2' })
    expect(now().before).toBeUndefined()
  })

  test('is nothing if nothing was known', () => {
    say(RESTARTED)
    say(RESTARTED)
    expect(now().before).toBeUndefined()
  })
})

test('where there is no stream, a page that was hidden for long is polled again once it is seen', async () => {
  world.answers = () => ({ json: ONLINE })
  for (let refusal = 0; refusal < 4; refusal++) {
    world.source.refuse()
    await world.pass(4000)
  }
  expect(now().connectionState).toBe('error')
  world.turn('hidden')
  await world.pass(300_000)
  const before = world.requests.length
  world.turn('visible')
  expect(world.requests.length).toBe(before + 1)
  await world.pass(60_000)
  expect(world.requests.length).toBe(before + 2)
})
