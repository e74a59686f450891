import { beforeEach, describe, expect, test, vi } from 'vitest'
import { EventStream, type RetryOptions } from '../../src/core/eventStream.js'
import { World } from '../world.js'

let world: World
let options: RetryOptions
const onMessage = vi.fn()
const onExhausted = vi.fn()
const onFailure = vi.fn()
const onOpen = vi.fn()

const stream = () => {
  const listener = { retry: () => options, onMessage, onExhausted, onFailure, onOpen, named: { goodbye: onMessage } }
  const opened = new EventStream('/stream', false, listener, () => states.push(opened.state), world)
  opened.open()
  return opened
}
let states: string[] = []

beforeEach(() => {
  vi.resetAllMocks()
  world = new World()
  options = {}
  states = []
})

describe('retries', () => {
  test.each([
    [0, [1000, 2000, 4000]],
    [0.5, [1250, 2500, 5000]],
    [0.999, [1499.5, 2999, 5998]],
  ])('with chance %d come after %j, and then no more', async (chance, delays) => {
    world.chance = chance
    const opened = stream()
    for (const [count, delay] of delays.entries()) {
      world.source.drop()
      expect(opened.state).toBe('disconnected')
      await world.pass(delay - 1)
      expect(world.sources).toHaveLength(count + 1)
      await world.pass(1)
      expect(world.sources).toHaveLength(count + 2)
      expect(opened.state).toBe('connecting')
    }
    world.source.drop()
    expect(opened.state).toBe('error')
    expect(onExhausted).toHaveBeenCalledOnce()
    await world.pass(3_600_000)
    expect(world.sources).toHaveLength(4)
  })

  test('never come later than the longest delay and half of it', async () => {
    options = { maxRetries: Infinity }
    world.chance = 0.999
    stream()
    for (let failure = 0; failure < 40; failure++) {
      world.source.drop()
      await world.pass(45_000)
      expect(world.sources).toHaveLength(failure + 2)
    }
  })

  test('are all there again after a message, and not after an open alone', async () => {
    const opened = stream()
    for (let round = 0; round < 4; round++) {
      world.source.open()
      world.source.drop()
      await world.pass(10_000)
    }
    expect(opened.state).toBe('error')

    opened.open()
    for (let round = 0; round < 20; round++) {
      world.source.open()
      world.source.send('anything')
      world.source.drop()
      await world.pass(1000)
    }
    expect(opened.state).toBe('connecting')
  })

  test('are read anew for each attempt', () => {
    const opened = stream()
    options = { maxRetries: 0 }
    world.source.drop()
    expect(opened.state).toBe('error')
  })

  test('a failure says whether there was an answer', () => {
    stream()
    world.source.refuse()
    expect(onFailure).toHaveBeenLastCalledWith(true)
  })
})

describe('there is one connection', () => {
  test('whatever happens', async () => {
    const opened = stream()
    let seed = 7
    const draw = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    for (let step = 0; step < 2000; step++) {
      const acts = [
        () => world.source.drop(),
        () => world.source.refuse(),
        () => world.source.open(),
        () => world.source.send('x'),
        () => opened.open(),
        () => opened.openSilently(),
        () => opened.openAfter(500),
        () => opened.fail(),
        () => opened.close(),
      ]
      acts[draw(acts.length)]?.()
      await world.pass(draw(3000))
      expect(world.open.length).toBeLessThanOrEqual(1)
    }
    opened.close()
    expect(world.open).toEqual([])
    expect(world.isIdle).toBe(true)
  })

  test('of which the one before is not heard any more', () => {
    const opened = stream()
    const before = world.source
    opened.open()
    before.open()
    before.send('late')
    before.drop()
    expect(opened.state).toBe('connecting')
    expect(onMessage).not.toHaveBeenCalled()
    expect(onFailure).not.toHaveBeenCalled()
  })

  test('and none after close, also when a retry was due', async () => {
    const opened = stream()
    world.source.drop()
    opened.close()
    await world.pass(60_000)
    expect(world.sources).toHaveLength(1)
    expect(world.isIdle).toBe(true)
  })

  test('opened at once in place of the retry that was due', async () => {
    const opened = stream()
    world.source.drop()
    opened.open()
    await world.pass(10_000)
    expect(world.sources).toHaveLength(2)
  })
})

test('an event that a server calls error is no failure', () => {
  const opened = stream()
  world.source.open()
  world.source.send('a message', 'error')
  expect(opened.state).toBe('connected')
})

test('an event that a server calls open opens nothing', () => {
  const opened = stream()
  world.source.open()
  world.source.send('a message', 'open')
  expect(opened.state).toBe('connected')
  expect(onOpen).toHaveBeenCalledOnce()
})

test('named events come to those who named them', () => {
  stream()
  world.source.open()
  world.source.send({ reason: 'shutdown' }, 'goodbye')
  expect(onMessage).toHaveBeenCalledOnce()
})

test('a stream that is opened without a word shows nothing until it is open', async () => {
  options = { maxRetries: 0 }
  const opened = stream()
  world.source.drop()
  states = []
  opened.openSilently()
  world.source.drop()
  opened.openSilently()
  expect(states).toEqual([])
  expect(onExhausted).toHaveBeenCalledOnce()
  world.source.open()
  expect(states).toEqual(['connected'])
})

test('where there are no event streams, it has failed', () => {
  world.openEventSource = undefined
  expect(stream().state).toBe('error')
  expect(onExhausted).toHaveBeenCalledOnce()
})
