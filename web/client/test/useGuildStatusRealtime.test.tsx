// @vitest-environment happy-dom
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { act, render } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { GuildStatus } from '../src/core/status.js'
import { guildStatusKey, guildStatusOptions } from '../src/query/guildStatusOptions.js'
import {
  useGuildStatusRealtime,
  type GuildStatusRealtime,
  type UseGuildStatusRealtimeOptions,
} from '../src/useGuildStatusRealtime.js'
import { Stage } from './stage.js'

const fixture = join(import.meta.dirname, '../../../protocol/fixtures/status-online.json')
const ONLINE: GuildStatus = JSON.parse(readFileSync(fixture, 'utf8'))
const GUILD = ONLINE.guildId
const status = (revision: string, more: Partial<GuildStatus> = {}): GuildStatus => ({ ...ONLINE, revision, ...more })
const OFFLINE = { healthy: false, state: 'offline', reason: 'heartbeat_timeout' } as const

const stage = new Stage()
let client: QueryClient
beforeEach(() => {
  client = new QueryClient()
})

const key = guildStatusKey(GUILD)
const cached = () => client.getQueryData<GuildStatus>(key)
const inPage = (children: ReactNode) => <QueryClientProvider client={client}>{children}</QueryClientProvider>

interface Props extends UseGuildStatusRealtimeOptions {
  guildId?: string | null
  /** Called in each render. */
  read?: (result: GuildStatusRealtime) => unknown
}
/** Shows what the hook says. */
function Shown({ guildId = GUILD, read = () => {}, ...options }: Props) {
  const result = useGuildStatusRealtime(guildId, options)
  read(result)
  return `${result.data?.state} ${result.connectionState}`
}
const show = (props: Props = {}) => {
  const { container, rerender, ...rest } = render(inPage(<Shown {...props} />))
  return { ...rest, text: () => container.textContent, again: (props: Props) => rerender(inPage(<Shown {...props} />)) }
}
const send = (data: unknown, type?: string) => stage.does(() => stage.source.send(data, type))
/** The newest connection opens and says what a server says first. */
const greet = async (first = '12.1') => {
  await stage.does(() => stage.source.open())
  await send({ protocol: 1, snapshotIntervalMs: 15_000, retryMs: 2000, now: new Date().toISOString() }, 'hello')
  await send(status(first))
}
/** A server whose stream says something each 15 s. */
const live = async (ms: number) => {
  for (let passed = 0; passed < ms; passed += 15_000) {
    await stage.pass(15_000)
    await send(status('12.1', { lastHeartbeat: new Date().toISOString() }))
  }
}
const drop = () => stage.does(() => stage.source.drop())

describe('what is shown', () => {
  test('on a server is that it is connecting, and nothing is asked', () => {
    expect(renderToString(inPage(<Shown />))).toBe('undefined connecting')
    expect([stage.sources, stage.requests]).toEqual([[], []])
  })

  test.each([null, ''])('without a guild (%j) is that it is connecting, and nothing is asked', async (guildId) => {
    const { text } = show({ guildId })
    await stage.pass(300_000)
    expect(text()).toBe('undefined connecting')
    expect([stage.sources, stage.requests]).toEqual([[], []])
  })

  test('comes from the stream and from polls, whatever is there', async () => {
    const { text } = show()
    expect(stage.source.url).toBe(`/api/guilds/${GUILD}/status/stream`)
    expect(stage.requests.map(({ url }) => url)).toEqual([`/api/guilds/${GUILD}/status`])
    await stage.answerLast({ json: status('12.1', OFFLINE) })
    expect(text()).toBe('offline connecting')
    await greet('12.2')
    expect(text()).toBe('online connected')
    stage.answer({ json: status('12.3', OFFLINE) })
    await drop()
    expect(text()).toBe('offline disconnected')
  })

  test('of the next guild is nothing of the one before', async () => {
    const { text, again } = show()
    await greet()
    again({ guildId: '7' })
    expect(text()).toBe('undefined connecting')
    expect(stage.source.url).toBe('/api/guilds/7/status/stream')
    await stage.pass(100)
    expect(stage.open).toEqual([stage.source])
  })
})

describe('polls', () => {
  test('are none while the stream is confirmed, whatever the page does', async () => {
    show()
    await stage.answerLast({ json: status('12.1') })
    await greet()
    for (let minute = 0; minute < 10; minute++) {
      await live(60_000)
      await stage.turn('hidden')
      await stage.turn('visible')
      await stage.does(() => window.dispatchEvent(new Event('online')))
    }
    expect(stage.requests).toHaveLength(1)
    expect(stage.sources).toHaveLength(1)
  })

  test('are one at once and one each minute while it is not, and none once it is again', async () => {
    stage.answer({ json: status('12.1') })
    show()
    await greet()
    await live(30_000)
    stage.requests.length = 0
    await drop()
    expect(stage.requests).toHaveLength(1)
    for (let minute = 1; minute < 5; minute++) {
      await stage.pass(59_000)
      expect(stage.requests).toHaveLength(minute)
      await stage.pass(1000)
      expect(stage.requests).toHaveLength(minute + 1)
    }
    await greet()
    await live(120_000)
    expect(stage.requests).toHaveLength(5)
  })

  test('go on while a stream is open that says nothing', async () => {
    stage.answer({ json: status('12.1') })
    show()
    for (let second = 0; second < 120; second++) {
      await stage.does(() => stage.source.open())
      await stage.pass(1000)
    }
    expect(stage.requests.length).toBeGreaterThanOrEqual(3)
  })

  test('are none of a hidden page', async () => {
    stage.answer({ json: status('12.1') })
    show()
    await stage.turn('hidden')
    await drop()
    stage.requests.length = 0
    await stage.pass(600_000)
    expect(stage.requests).toEqual([])
    await stage.turn('visible')
    expect(stage.requests).toHaveLength(1)
  })

  test('are one for all who look at a guild, as is the stream', async () => {
    stage.answer({ json: status('12.1') })
    const { rerender, unmount } = render(inPage([<Shown key="1" />]))
    await stage.pass(20_000)
    rerender(inPage([<Shown key="1" />, <Shown key="2" />]))
    await stage.pass(20_000)
    rerender(inPage([<Shown key="1" />, <Shown key="2" />, <Shown key="3" />]))
    expect(stage.open).toHaveLength(1)
    await greet()
    expect(stage.sources.filter(({ url }) => url.includes(GUILD))).toHaveLength(stage.sources.length)
    stage.requests.length = 0
    await drop()
    expect(stage.requests).toHaveLength(1)
    for (let minute = 1; minute < 5; minute++) {
      await stage.pass(60_000)
      expect(stage.requests).toHaveLength(minute + 1)
      expect(stage.open.length).toBeLessThanOrEqual(1)
    }
    unmount()
    await stage.pass(600_000)
    expect(stage.requests).toHaveLength(5)
    expect(stage.open).toEqual([])
  })

  test.each([
    [401, 1],
    [403, 0],
  ])('end with %d, as does the stream, until reconnect()', async (code, told) => {
    stage.answer({ status: code })
    const onUnauthorized = vi.fn()
    let reconnect = () => {}
    const { text } = show({ onUnauthorized, read: (result) => (reconnect = result.reconnect) })
    // React 18.2 renders only when an act is over.
    await stage.pass(0)
    await stage.pass(600_000)
    expect(text()).toBe('undefined error')
    expect(onUnauthorized).toHaveBeenCalledTimes(told)
    expect([stage.requests.length, stage.sources.length]).toEqual([1, 1])
    expect(stage.open).toEqual([])
    stage.answer({ json: status('12.1') })
    await stage.does(() => reconnect())
    expect(text()).toBe('online connecting')
    await greet()
    expect(text()).toBe('online connected')
  })

  test('of a page that is looked at again find out that the viewer has signed in meanwhile', async () => {
    stage.answer({ status: 401 })
    const onUnauthorized = vi.fn()
    const { text } = show({ onUnauthorized })
    for (let look = 0; look < 3; look++) {
      await stage.turn('hidden')
      await stage.turn('visible')
    }
    expect(onUnauthorized, 'it is told once').toHaveBeenCalledOnce()
    stage.answer({ json: status('12.1') })
    await stage.turn('hidden')
    await stage.turn('visible')
    await greet()
    expect(text()).toBe('online connected')
  })

  test.each([503, 429])('after %d wait for as long as they are told to', async (code) => {
    stage.answer({ status: code, headers: { 'retry-after': '120' } })
    show()
    await stage.pass(119_000)
    expect([stage.requests.length, stage.sources.length]).toEqual([1, 1])
    await stage.pass(1000)
    expect([stage.requests.length, stage.sources.length]).toEqual([2, 2])
  })

  test('that fail are told by the result, until the next answer', async () => {
    stage.answer({ json: status('12.1') })
    const seen: unknown[] = []
    show({ read: ({ isError, data }) => seen.push([isError, data?.revision]) })
    await greet()
    await live(30_000)
    stage.answer({ status: 500 })
    await drop()
    await stage.pass(10_000)
    await drop()
    expect(seen.at(-1)).toEqual([true, '12.1'])
    await stage.pass(4000)
    expect(seen.at(-1), 'an attempt is no answer').toEqual([true, '12.1'])
    await greet()
    expect(seen.at(-1)).toEqual([false, '12.1'])
  })
})

describe('the cache', () => {
  test('keeps an event although a poll that was asked before it is answered later', async () => {
    show()
    await stage.pass(10)
    await greet('12.10')
    await stage.answerLast({ json: status('12.9', OFFLINE) })
    expect(cached()).toMatchObject({ revision: '12.10', state: 'online' })
  })

  test('takes an answer that is newer than the event', async () => {
    show()
    await stage.pass(10)
    await greet('12.9')
    await stage.answerLast({ json: status('12.10', OFFLINE) })
    expect(cached()).toMatchObject({ revision: '12.10', state: 'offline' })
  })

  test('takes the first status of a server that has lost its data', async () => {
    stage.answer({ json: status('9.1', OFFLINE) })
    show()
    await greet('12.10')
    await drop()
    await stage.pass(2000)
    await greet('9.1')
    expect(cached()?.revision).toBe('9.1')
  })

  test.each(['no JSON', '{"guildId":1}', JSON.stringify(status('12.2', { guildId: '7' }))])(
    'never holds what is no status: %s',
    async (data) => {
      const onParseError = vi.fn()
      const { text } = show({ onParseError })
      await greet()
      await send(data)
      expect(cached()?.revision).toBe('12.1')
      expect(onParseError).toHaveBeenCalledOnce()
      expect(text()).toBe('online connected')
      expect(stage.sources).toHaveLength(1)
    },
  )

  test('never holds an answer that is none', async () => {
    const onParseError = vi.fn()
    show({ onParseError })
    await stage.answerLast({ json: { guildId: GUILD, healthy: 'yes' } })
    expect(cached()).toBeUndefined()
    expect(onParseError).toHaveBeenCalledOnce()
    expect(stage.requests, 'the same would be answered again').toHaveLength(1)
  })

  test('says how old a status is, and an attempt to connect makes it no younger', async () => {
    stage.answer({ status: 500 })
    show()
    await greet()
    await live(45_000)
    const { dataUpdatedAt } = client.getQueryState(key)!
    expect(dataUpdatedAt).toBe(Date.now())
    await drop()
    await stage.pass(2000)
    await drop()
    await stage.pass(120_000)
    expect(client.getQueryState(key)?.dataUpdatedAt).toBe(dataUpdatedAt)
  })

  test('keeps what the page writes into it until something is heard', async () => {
    stage.answer(new Error('nobody is there'))
    show()
    await greet()
    await live(30_000)
    await stage.does(() => void client.setQueryData(key, status('12.1', { version: 'mine' })))
    await drop()
    await stage.pass(2000)
    expect(cached()?.version).toBe('mine')
  })

  test('does not get back what was taken from it, by an event that comes late', async () => {
    const { unmount } = show()
    await greet()
    const source = stage.source
    unmount()
    client.removeQueries({ queryKey: key })
    await stage.does(() => source.send(status('12.2')))
    await stage.does(() => stage.requests[0]?.answer({ json: status('12.3') }))
    await stage.pass(60_000)
    expect(cached()).toBeUndefined()
    expect(stage.requests).toHaveLength(1)
  })

  test('is shared with whoever asks by the options of the query', async () => {
    const Other = () => useQuery(guildStatusOptions(GUILD)).data?.revision
    const { container } = render(inPage([<Shown key="1" />, <Other key="2" />]))
    expect(stage.requests).toHaveLength(1)
    await greet('12.7')
    expect(container.textContent).toBe('online connected12.7')
  })
})

describe('a component renders again', () => {
  const count = async (read: (result: GuildStatusRealtime) => unknown, change: () => Promise<void>) => {
    let renders = 0
    const Reads = () => {
      renders += 1
      read(useGuildStatusRealtime(GUILD))
      return null
    }
    stage.answer({ json: status('12.1') })
    render(inPage(<Reads />))
    await greet()
    const before = renders
    await change()
    return renders - before
  }

  test.each<[string, number, (result: GuildStatusRealtime) => unknown]>([
    ['nothing', 0, () => {}],
    ['its connection', 0, (result) => result.connectionState],
    ['whether it failed', 0, (result) => result.isError],
    ['its data', 4, (result) => result.data],
    ['everything, by a spread', 4, (result) => ({ ...result })],
  ])('for fresh beats of a minute, if it reads %s, %d times', async (_, renders, read) => {
    expect(await count(read, () => live(60_000))).toBe(renders)
  })

  test('for a change of state and not for a fresh beat, if that is what it selects', async () => {
    let renders = 0
    const Reads = () => {
      renders += 1
      const { connectionState } = useGuildStatusRealtime(GUILD)
      const { data } = useQuery({ ...guildStatusOptions(GUILD), select: ({ state }) => state })
      return `${data} ${connectionState}`
    }
    stage.answer({ json: status('12.1') })
    const { container } = render(inPage(<Reads />))
    await greet()
    const before = renders
    await live(60_000)
    expect(renders).toBe(before)
    await send(status('12.2', OFFLINE))
    expect(container.textContent).toBe('offline connected')
    expect(renders).toBe(before + 1)
  })
})

describe('the result', () => {
  test('is that of useQuery and the connection, also when it is spread', async () => {
    let result: GuildStatusRealtime | undefined
    let plain: object | undefined
    const Reads = () => {
      result = { ...useGuildStatusRealtime(GUILD) }
      plain = { ...useQuery(guildStatusOptions(GUILD)) }
      return null
    }
    render(inPage(<Reads />))
    await greet()
    const own = { connectionState: 'connected', reconnect: expect.any(Function), refetch: expect.any(Function) }
    expect(result).toEqual({ ...plain, ...own })
    expect(result?.data).toEqual(status('12.1'))
  })

  test('has the same reconnect for as long as the component lives', async () => {
    const seen = new Set<() => void>()
    const { again } = show({ read: ({ reconnect }) => seen.add(reconnect) })
    await greet()
    again({ guildId: '7', read: ({ reconnect }) => seen.add(reconnect) })
    await greet()
    expect(seen.size).toBe(1)
  })
})

describe('one stream is asked for', () => {
  test('in 1,000 renders with new callbacks and sources that are the same', async () => {
    const { again } = show({ onParseError() {}, parse: (data) => data as GuildStatus })
    for (let count = 0; count < 1000; count++) {
      again({ onParseError() {}, onUnauthorized() {}, parse: (data) => ({ ...(data as GuildStatus), version: `${count}` }) })
    }
    expect(stage.sources).toHaveLength(1)
    await greet()
    expect(cached()?.version, 'the newest reads').toBe('999')
  })

  test('in StrictMode, and is closed once', async () => {
    const { container, unmount } = render(<StrictMode>{inPage(<Shown />)}</StrictMode>)
    expect(stage.sources).toHaveLength(1)
    expect(stage.requests).toHaveLength(1)
    await greet()
    expect(container.textContent).toBe('online connected')
    unmount()
    await stage.pass(100)
    expect(stage.open).toEqual([])
  })

  test('however often the page goes from A to B and back', async () => {
    stage.answer(new Error('nobody is there'))
    const { again, unmount } = show()
    for (let change = 0; change < 100; change++) {
      again({ guildId: change % 2 ? GUILD : '7' })
      const urls = stage.open.map(({ url }) => url)
      expect(new Set(urls).size, 'at most one for a URL').toBe(urls.length)
      await stage.pass(change % 7)
      await stage.pass(100)
      expect(stage.open).toEqual([stage.source])
    }
    unmount()
    await stage.pass(100)
    expect(stage.open).toEqual([])
    client.clear()
    expect(vi.getTimerCount(), 'nothing is waited for').toBe(0)
  })

  test('for each shareKey', async () => {
    const { again } = show({ shareKey: 'ada' })
    await greet()
    again({ shareKey: 'bob' })
    await stage.pass(100)
    expect(stage.sources).toHaveLength(2)
    expect(stage.open).toEqual([stage.source])
  })
})

test('a connection in another root is the same', async () => {
  show()
  show()
  await act(async () => {})
  expect(stage.sources).toHaveLength(1)
  expect(stage.requests).toHaveLength(1)
})
