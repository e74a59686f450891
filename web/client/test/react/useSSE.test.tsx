// @vitest-environment happy-dom
import { render, renderHook } from '@testing-library/react'
import { StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, test, vi } from 'vitest'
import { useSSE, type UseSSEOptions } from '../../src/react/useSSE.js'
import { Stage } from '../stage.js'

const stage = new Stage()
type Props = Partial<UseSSEOptions> & { url?: string | null }

const use = (initialProps: Props = {}) => {
  const hook = ({ url = '/stream', onMessage = () => {}, ...options }: Props) => useSSE(url, { onMessage, ...options })
  const { result, ...rest } = renderHook(hook, { initialProps })
  return { result, state: () => result.current.connectionState, ...rest }
}
const drop = () => stage.does(() => stage.source.drop())
const open = () => stage.does(() => stage.source.open())
const send = (data: unknown) => stage.does(() => stage.source.send(data))
/** Fails so often that the retries, of which there are three, are spent. */
const spend = async () => {
  for (let failure = 0; failure < 4; failure++) {
    await drop()
    await stage.pass(4000)
  }
}

describe('the state', () => {
  test('is connecting in the first render, and while an attempt runs', async () => {
    const { state } = use()
    expect(state()).toBe('connecting')
    await drop()
    await stage.pass(1000)
    expect(stage.sources).toHaveLength(2)
    expect(state()).toBe('connecting')
  })

  test('is connecting on a server, where nothing is opened', () => {
    const Shown = () => useSSE('/stream', { onMessage() {} }).connectionState
    expect(renderToString(<Shown />)).toBe('connecting')
    expect(stage.sources).toEqual([])
  })

  test.each([null, ''])('is connecting with the url %j, of which nothing is asked', async (url) => {
    const { state, result } = use({ url })
    await stage.does(() => result.current.reconnect())
    await stage.pass(60_000)
    expect(state()).toBe('connecting')
    expect(stage.sources).toEqual([])
  })

  test('is connected once it is open', async () => {
    const { state } = use()
    await open()
    expect(state()).toBe('connected')
  })

  test.each([
    [0, [1000, 2000, 4000]],
    [0.999, [1499.5, 2999, 5998]],
  ])('is disconnected after a failure, with chance %d for %j milliseconds, and then error', async (chance, delays) => {
    vi.mocked(Math.random).mockReturnValue(chance)
    const onError = vi.fn()
    const { state } = use({ onError })
    for (const delay of delays) {
      await drop()
      expect(state()).toBe('disconnected')
      await stage.pass(Math.floor(delay) - 1)
      expect(state()).toBe('disconnected')
      await stage.pass(2)
      expect(state()).toBe('connecting')
      expect(onError).not.toHaveBeenCalled()
    }
    await drop()
    expect(state()).toBe('error')
    await stage.pass(3_600_000)
    expect(state()).toBe('error')
    expect(onError).toHaveBeenCalledOnce()
    expect(stage.sources).toHaveLength(4)
  })

  test('is disconnected for no longer than the longest delay and half of it', async () => {
    vi.mocked(Math.random).mockReturnValue(0.999)
    const { state } = use({ maxRetries: 20, initialRetryDelay: 10, maxRetryDelay: 100 })
    for (let failure = 0; failure < 20; failure++) {
      await drop()
      await stage.pass(150)
      expect(state()).toBe('connecting')
    }
    await drop()
    expect(state()).toBe('error')
  })

  test('is error until reconnect(), which brings all retries back', async () => {
    const onError = vi.fn()
    const { state, result } = use({ onError })
    await spend()
    await stage.turn('hidden')
    await stage.turn('visible')
    await stage.does(() => window.dispatchEvent(new Event('online')))
    await stage.pass(600_000)
    expect(stage.sources, 'nothing is asked that the hook was not told to').toHaveLength(4)
    await stage.does(() => result.current.reconnect())
    expect(state()).toBe('connecting')
    await spend()
    expect(stage.sources).toHaveLength(8)
    expect(state()).toBe('error')
    expect(onError).toHaveBeenCalledTimes(2)
  })
})

describe('the retries', () => {
  test('are all there again after a message', async () => {
    const { state } = use()
    for (let round = 0; round < 20; round++) {
      await open()
      await send({ round })
      await drop()
      await stage.pass(1000)
    }
    expect(state()).toBe('connecting')
  })

  test('are spent by a server that opens and drops', async () => {
    const { state } = use()
    for (let round = 0; round < 4; round++) {
      await open()
      await drop()
      await stage.pass(4000)
    }
    expect(state()).toBe('error')
    expect(stage.sources).toHaveLength(4)
  })
})

describe('reconnect', () => {
  test('is the same function for as long as the component lives', async () => {
    const { result, rerender } = use()
    const { reconnect } = result.current
    await open()
    rerender({ url: '/other' })
    rerender({ url: null })
    expect(result.current.reconnect).toBe(reconnect)
  })

  test('cancels the retry that was due', async () => {
    const { result } = use()
    await open()
    await drop()
    await stage.does(() => result.current.reconnect())
    expect(stage.sources).toHaveLength(2)
    await open()
    await stage.pass(60_000)
    expect(stage.sources).toHaveLength(2)
  })

  test('after the component has gone does nothing', async () => {
    const { result, unmount } = use()
    unmount()
    await stage.does(() => result.current.reconnect())
    await stage.pass(60_000)
    expect(stage.open).toEqual([])
    expect(stage.sources).toHaveLength(1)
  })
})

describe('one stream is asked for', () => {
  test('in 1,000 renders with new callbacks and numbers, of which the newest count', async () => {
    const heard: unknown[] = []
    const { rerender, state } = use()
    for (let count = 0; count < 1000; count++) {
      rerender({ onMessage: (data) => heard.push([count, data]), onError: () => {}, maxRetries: count % 5 })
    }
    expect(stage.sources).toHaveLength(1)
    await send(7)
    expect(heard).toEqual([[999, 7]])
    rerender({ maxRetries: 0 })
    await drop()
    expect(state()).toBe('error')
  })

  test('and another for another url, withCredentials or shareKey', async () => {
    const { rerender, state } = use()
    const changes: Props[] = [{ url: '/other' }, { withCredentials: true }, { shareKey: 'ada' }]
    for (const [index, change] of changes.entries()) {
      await open()
      expect(state()).toBe('connected')
      rerender(change)
      expect(state(), 'nothing of the one before is shown').toBe('connecting')
      expect(stage.sources).toHaveLength(index + 2)
      expect(stage.open).toEqual([stage.source])
    }
    expect(stage.source.url).toBe('/stream')
    expect(stage.sources.map(({ withCredentials }) => withCredentials)).toEqual([false, false, true, false])
  })

  test('and none for no url, until there is one again', async () => {
    const { rerender, state } = use()
    await open()
    rerender({ url: null })
    expect(stage.open).toEqual([])
    expect(state()).toBe('connecting')
    rerender({})
    expect(stage.open).toHaveLength(1)
  })

  test('however often the page goes from A to B and back', async () => {
    const { rerender, unmount } = use({ url: '/a' })
    for (let change = 0; change < 100; change++) {
      rerender({ url: change % 2 ? '/a' : '/b' })
      expect(stage.open).toHaveLength(1)
      await stage.pass(change % 7)
    }
    expect(stage.source.url).toBe('/a')
    unmount()
    expect(stage.open).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('in StrictMode, and it is the one whose state is shown', async () => {
    const states = new Set<string>()
    const Shown = () => {
      const { connectionState } = useSSE('/stream', { onMessage() {} })
      states.add(connectionState)
      return connectionState
    }
    const { container, unmount } = render(<StrictMode children={<Shown />} />)
    expect(stage.open).toEqual([stage.source])
    await stage.does(() => stage.sources[0]?.drop())
    expect(container.textContent).toBe('connecting')
    await open()
    expect(container.textContent).toBe('connected')
    expect([...states]).toEqual(['connecting', 'connected'])
    unmount()
    await stage.pass(60_000)
    expect(stage.open).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('by each use of the hook', () => {
    use()
    use()
    expect(stage.open).toHaveLength(2)
  })
})

describe('a message', () => {
  test('is the JSON of each event that has no name', async () => {
    const onMessage = vi.fn()
    use({ onMessage })
    for (const data of ['{"a":1}', '0', 'null', 'false', '[]']) await send(data)
    await stage.does(() => stage.source.send({ protocol: 1 }, 'hello'))
    expect(onMessage.mock.calls.flat()).toEqual([{ a: 1 }, 0, null, false, []])
  })

  test('that is no JSON is told to who asked for it, and the stream goes on', async () => {
    const onMessage = vi.fn()
    const onParseError = vi.fn()
    const { state, rerender } = use({ onMessage })
    await open()
    await send('no JSON')
    rerender({ onMessage, onParseError })
    await send('no JSON')
    expect(onMessage).not.toHaveBeenCalled()
    expect(onParseError).toHaveBeenCalledOnce()
    expect(onParseError.mock.calls[0]?.[0]).toMatchObject({ name: 'ParseError', received: 'no JSON' })
    expect(state()).toBe('connected')
  })

  test('is not heard of a connection that was left', async () => {
    const onMessage = vi.fn()
    const { rerender } = use({ onMessage })
    const before = stage.source
    rerender({ onMessage, url: '/other' })
    await stage.does(() => before.send(1))
    expect(onMessage).not.toHaveBeenCalled()
  })

  test('on which the page fails is no failure of the stream, and is not swallowed', async () => {
    const { state } = use({
      onMessage() {
        throw new Error('of the page')
      },
    })
    await open()
    expect(() => stage.source.send(1)).toThrow('of the page')
    await stage.pass(60_000)
    expect(state()).toBe('connected')
    expect(stage.sources).toHaveLength(1)
  })
})

test('a component renders once for each state, and not for messages', async () => {
  const rendered: string[] = []
  const Shown = () => {
    rendered.push(useSSE('/stream', { onMessage() {} }).connectionState)
    return null
  }
  render(<Shown />)
  await open()
  for (let beat = 0; beat < 10; beat++) await send({ beat })
  expect(rendered).toEqual(['connecting', 'connected'])
})
