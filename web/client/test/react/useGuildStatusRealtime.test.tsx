// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, renderHook } from '@testing-library/react'
import { readFileSync } from 'node:fs'
import type { ReactNode } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { GuildStatus } from '../../src/core/status.js'
import { guildStatusKey } from '../../src/query/guildStatusOptions.js'
import { useGuildStatusRealtime, type GuildStatusRealtime } from '../../src/useGuildStatusRealtime.js'
import { inAWorld } from './browser.js'

const world = inAWorld()
const ONLINE: GuildStatus = JSON.parse(readFileSync('../../protocol/fixtures/status-online.json', 'utf8'))
const GUILD = ONLINE.guildId
const status = (revision: string, more: Partial<GuildStatus> = {}) => ({ ...ONLINE, revision, ...more })

let client: QueryClient
beforeEach(() => {
  client = new QueryClient()
})
afterEach(async () => {
  client.clear()
})

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))
const wrapper = ({ children }: { children: ReactNode }) => (
  <QueryClientProvider client={client}>{children}</QueryClientProvider>
)
function follow<T>(read: (status: GuildStatusRealtime) => T, guildId: string | null = GUILD) {
  return renderHook(({ guildId }) => read(useGuildStatusRealtime(guildId)), { wrapper, initialProps: { guildId } })
}
const greet = (revision: string) =>
  act(() => {
    world().source.open()
    world().source.send(
      { protocol: 1, snapshotIntervalMs: 15_000, retryMs: 2417, now: new Date().toISOString(), boot: 12 },
      'hello',
    )
    world().source.send(status(revision))
  })
const live = async (ms: number, revision: string) => {
  for (let passed = 0; passed < ms; passed += 15_000) {
    await pass(15_000)
    act(() => world().source.send(status(revision)))
  }
}

test('what comes on the stream is in the cache, and nothing is polled meanwhile', async () => {
  world().answers = () => ({ json: status('12.1') })
  const { result } = follow(({ data, connectionState }) => [data?.revision, connectionState])
  await pass(0)
  const atStart = world().requests.length
  greet('12.2')
  await pass(0)
  expect(result.current).toEqual(['12.2', 'connected'])
  expect(client.getQueryData<GuildStatus>(guildStatusKey(GUILD))?.revision).toBe('12.2')
  await live(600_000, '12.2')
  expect(world().requests.length).toBe(atStart)
})

test('when the stream is lost it is asked once, and each minute from then on, by however many', async () => {
  world().answers = () => ({ json: status('12.1') })
  for (let follower = 0; follower < 5; follower++) follow(({ data }) => data)
  await pass(0)
  expect(world().sources).toHaveLength(1)
  greet('12.1')
  await pass(0)
  const before = world().requests.length
  world().openEventSource = undefined
  vi.stubGlobal('EventSource', undefined)
  act(() => world().source.drop())
  await pass(0)
  expect(world().requests.length - before).toBe(1)
  await pass(600_000)
  expect(world().requests.length - before).toBeGreaterThanOrEqual(10)
  expect(world().requests.length - before).toBeLessThanOrEqual(11)
})

test('a late answer does not replace a newer event', async () => {
  const { result } = follow(({ data }) => data?.revision)
  await pass(0)
  expect(world().requests).toHaveLength(1)
  greet('12.10')
  await act(async () => world().requests[0]?.answer({ json: status('12.9') }))
  await pass(0)
  expect(result.current).toBe('12.10')
})

test.each([
  ['the state of the bot', () => useGuildStatusRealtime(GUILD, { select: ({ state }) => state }).data, 'online'],
  ['the state of the connection', () => useGuildStatusRealtime(GUILD).connectionState, 'connected'],
])('who reads only %s does not render for a fresh heartbeat', async (_, read, expected) => {
  let renders = 0
  const count = () => {
    renders += 1
    return read()
  }
  const { result } = renderHook(count, { wrapper })
  await pass(0)
  greet('12.1')
  await pass(0)
  const before = renders
  for (let beat = 0; beat < 4; beat++) {
    await pass(15_000)
    act(() => world().source.send(status('12.1', { lastHeartbeat: new Date().toISOString() })))
  }
  await pass(0)
  expect(result.current).toBe(expected)
  expect(renders).toBe(before)
})

test('a caller may spread the result', async () => {
  world().answers = () => ({ json: status('12.1') })
  const { result } = follow((followed) => ({ ...followed }))
  await pass(0)
  expect(result.current).toMatchObject({ data: { revision: '12.1' }, isSuccess: true, connectionState: 'connecting' })
  expect(result.current.reconnect).toBeTypeOf('function')
})

test('a credential that is refused is not tried again', async () => {
  world().answers = () => ({ status: 401 })
  const { result } = follow(({ error, connectionState }) => [error, connectionState])
  // React 18.2 renders only when an act is over.
  await pass(0)
  await pass(600_000)
  expect(result.current).toMatchObject([{ status: 401 }, 'error'])
  expect(world().requests).toHaveLength(1)
})

test('of a guild that is left nothing is written any more', async () => {
  const { unmount } = follow(({ data }) => data)
  await pass(0)
  greet('12.1')
  const { source } = world()
  unmount()
  client.clear()
  source.send(status('12.2'))
  await pass(1000)
  expect(client.getQueryData(guildStatusKey(GUILD))).toBeUndefined()
  expect(world().open).toEqual([])
})

test('without a guild nothing is opened or asked', async () => {
  const { result, rerender } = follow(({ connectionState }) => connectionState, null)
  await pass(60_000)
  expect(result.current).toBe('connecting')
  expect([world().sources.length, world().requests.length]).toEqual([0, 0])
  rerender({ guildId: GUILD })
  await pass(0)
  expect(world().open).toHaveLength(1)
})
