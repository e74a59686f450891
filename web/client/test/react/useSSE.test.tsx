// @vitest-environment happy-dom
import { act, renderHook } from '@testing-library/react'
import { StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import { useSSE } from '../../src/react/useSSE.js'
import { inAWorld } from './browser.js'

const world = inAWorld()
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))

function follow(url: string | null = '/stream', options: Partial<Parameters<typeof useSSE>[1]> = {}) {
  return renderHook(({ url, options }) => useSSE(url, { onMessage: () => {}, ...options }), {
    initialProps: { url, options },
  })
}

test.each([null, ''])('without a URL (%o) nothing is opened, and it is connecting', (url) => {
  const { result } = follow(url)
  expect(result.current.connectionState).toBe('connecting')
  expect(world().sources).toEqual([])
})

test('on a server it is connecting', () => {
  const Page = () => <p>{useSSE('/stream', { onMessage: () => {} }).connectionState}</p>
  expect(renderToString(<Page />)).toBe('<p>connecting</p>')
})

test('the states of a connection, until reconnect begins anew', async () => {
  const onError = vi.fn()
  const { result } = follow('/stream', { onError })
  const state = () => result.current.connectionState
  expect(state()).toBe('connecting')
  act(() => world().source.open())
  expect(state()).toBe('connected')
  for (const delay of [1000, 2000, 4000]) {
    act(() => world().source.drop())
    expect(state()).toBe('disconnected')
    await pass(delay)
    expect(state()).toBe('connecting')
  }
  act(() => world().source.drop())
  expect(state()).toBe('error')
  expect(onError).toHaveBeenCalledOnce()
  await pass(3_600_000)
  expect(world().sources).toHaveLength(4)
  act(() => result.current.reconnect())
  expect(state()).toBe('connecting')
  expect(world().open).toHaveLength(1)
})

test('a thousand renders with new callbacks are one request, and the newest callback is called', () => {
  const heard: number[] = []
  const { rerender } = follow('/stream', { onMessage: () => heard.push(0) })
  for (let render = 1; render <= 1000; render++) {
    rerender({ url: '/stream', options: { onMessage: () => heard.push(render), maxRetries: render } })
  }
  act(() => world().source.send({ a: 1 }))
  expect(heard).toEqual([1000])
  expect(world().sources).toHaveLength(1)
})

test.each([
  ['url', '/other', {}],
  ['withCredentials', '/stream', { withCredentials: true }],
  ['shareKey', '/stream', { shareKey: 'another user' }],
])('another %s is another connection, of which nothing is said of the one before', (_, url, options) => {
  const rendered: string[] = []
  const { rerender } = renderHook(
    ({ url, options }) => {
      rendered.push(useSSE(url, { onMessage: () => {}, ...options }).connectionState)
    },
    { initialProps: { url: '/stream', options: {} } },
  )
  act(() => world().source.open())
  rendered.length = 0
  rerender({ url, options })
  expect(new Set(rendered)).toEqual(new Set(['connecting']))
  expect(world().sources).toHaveLength(2)
  expect(world().open).toHaveLength(1)
})

test('in StrictMode one connection is left, and none after unmount', async () => {
  const { unmount } = renderHook(() => useSSE('/stream', { onMessage: () => {} }), { wrapper: StrictMode })
  expect(world().open).toHaveLength(1)
  world().source.drop()
  unmount()
  await pass(60_000)
  expect(world().open).toEqual([])
})

test('what is not JSON is told and passed over', () => {
  const [onMessage, onParseError] = [vi.fn(), vi.fn()]
  follow('/stream', { onMessage, onParseError })
  act(() => world().source.send('no JSON'))
  expect(onMessage).not.toHaveBeenCalled()
  expect(onParseError.mock.calls[0]?.[0]).toMatchObject({ name: 'ParseError', received: 'no JSON' })
})

test('reconnect is the same function for as long as the component lives', () => {
  const { result, rerender } = follow()
  const { reconnect } = result.current
  rerender({ url: '/other', options: {} })
  expect(result.current.reconnect).toBe(reconnect)
})
