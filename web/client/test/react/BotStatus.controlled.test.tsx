// @vitest-environment happy-dom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react'
import { de } from 'date-fns/locale/de'
import { StrictMode, useState, type ReactNode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BotStatus, type BotStatusProps, type ConnectionState } from '../../src/react/index.js'

const NOW = Date.UTC(2026, 10, 22, 20, 7)
const MINUTE = 60_000
const ago = (ms: number) => new Date(NOW - ms).toISOString()
const lastHeartbeat = ago(5 * MINUTE)
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})

afterEach(() => {
  cleanup()
  expect(vi.getTimerCount(), 'timers that nobody needs any more').toBe(0)
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** What is to be read, line by line. */
function lines(container: Element = document.body): string[] {
  const parts = ['word', 'last-seen', 'hint', 'action'].map((part) => `[data-part=${part}]`)
  return [...container.querySelectorAll(parts.join())].map((part) => part.textContent)
}

function shown(node: ReactNode): string[] {
  return lines(render(node).container)
}

describe('the texts are those that people have, to the byte', () => {
  const seen = 'Last seen: 5 minutes ago'
  const cases: [string, BotStatusProps, string[]][] = [
    ['connecting', { healthy: true, connectionState: 'connecting' }, ['Connecting...']],
    ['connecting, not healthy', { healthy: false, lastHeartbeat, version: '1.4.2', connectionState: 'connecting' }, ['Connecting...']],
    ['error', { healthy: true, connectionState: 'error' }, ['Connection lost', 'Click to retry']],
    ['error, not healthy', { healthy: false, lastHeartbeat, version: '1.4.2', connectionState: 'error' }, ['Connection lost', 'Click to retry']],
    ['healthy', { healthy: true }, ['Online']],
    ['healthy and seen', { healthy: true, lastHeartbeat, version: '1.4.2', connectionState: 'connected' }, ['Online']],
    ['healthy, disconnected', { healthy: true, lastHeartbeat, connectionState: 'disconnected' }, ['Online']],
    ['never seen', { healthy: false }, ['Offline', 'Check Discord']],
    ['never seen, of a version', { healthy: false, version: '1.4.2' }, ['Offline', 'Check Discord']],
    ['seen', { healthy: false, lastHeartbeat }, ['Offline', seen, 'Check Discord']],
    ['seen, version null', { healthy: false, lastHeartbeat, version: null }, ['Offline', seen, 'Check Discord']],
    ['seen, version empty', { healthy: false, lastHeartbeat, version: '' }, ['Offline', seen, 'Check Discord']],
    ['seen and version', { healthy: false, lastHeartbeat, version: '1.4.2' }, ['Offline', `${seen} - v1.4.2`, 'Check Discord']],
    ['disconnected', { healthy: false, lastHeartbeat, version: '1.4.2', connectionState: 'disconnected' }, ['Offline']],
  ]
  test.each(cases)('%s', (_, props, expected) => {
    expect(shown(<BotStatus {...props} />)).toEqual(expected)
    expect(document.body.textContent).toBe(expected.join(''))
    for (const line of expected) expect(screen.getByText(line)).toBeTruthy()
  })
})

test('a heartbeat of the future is one of just now', () => {
  expect(shown(<BotStatus healthy={false} lastHeartbeat={ago(-3 * MINUTE)} />)[1]).toBe('Last seen: less than a minute ago')
})

test('a time that is none is left out', () => {
  expect(shown(<BotStatus healthy={false} lastHeartbeat="yesterday" version="1.4.2" />)).toEqual(['Offline', 'Check Discord'])
})

test('what is said of times grows older, with one timer for all of a page', async () => {
  render(
    <>
      <BotStatus healthy={false} lastHeartbeat={lastHeartbeat} announce={false} />
      <BotStatus healthy={false} lastHeartbeat={lastHeartbeat} announce={false} />
    </>,
  )
  expect(vi.getTimerCount()).toBe(1)
  await pass(2 * MINUTE)
  expect(screen.getAllByText('Last seen: 7 minutes ago')).toHaveLength(2)
})

test('the locale and the words may be given', () => {
  const labels = { offline: 'Nicht da', lastSeen: 'Zuletzt {time}', version: ', {version}', checkDiscord: 'Siehe Discord' }
  expect(shown(<BotStatus healthy={false} lastHeartbeat={lastHeartbeat} version="2" locale={de} labels={labels} />)).toEqual([
    'Nicht da',
    'Zuletzt vor 5 Minuten, 2',
    'Siehe Discord',
  ])
})

test.each([
  ['connecting', { healthy: true, connectionState: 'connecting' }],
  ['error', { healthy: true, connectionState: 'error' }],
  ['online', { healthy: true }],
  ['offline', { healthy: false }],
] as [string, BotStatusProps][])('the outermost element has data-state %s and the classes that are given', (state, props) => {
  const root = render(<BotStatus {...props} className="mine" />).container.firstElementChild!
  expect(root.getAttribute('data-state')).toBe(state)
  expect(root.classList.contains('mine')).toBe(true)
})

test('the shape differs from state to state, and a screen reader is not told of it', () => {
  const shapes = (['connecting', 'error', 'connected'] as const).flatMap((connectionState) =>
    [true, false].map((healthy) => {
      const { container } = render(<BotStatus {...{ healthy, connectionState }} />)
      expect(container.querySelector('[data-part=dot]')!.getAttribute('aria-hidden')).toBe('true')
      return container.querySelector('svg')!.innerHTML
    }),
  )
  expect(new Set(shapes).size).toBe(4)
})

test('a pulse is another one for each heartbeat, and there is none where there is no life', () => {
  const { container, rerender } = render(<BotStatus healthy lastHeartbeat={ago(2000)} />)
  const pulse = () => container.querySelector('[data-part=pulse]')
  const first = pulse()
  rerender(<BotStatus healthy lastHeartbeat={ago(2000)} />)
  expect(pulse()).toBe(first)
  rerender(<BotStatus healthy lastHeartbeat={ago(0)} />)
  expect(pulse()).not.toBe(first)
  rerender(<BotStatus healthy={false} lastHeartbeat={ago(0)} />)
  expect(pulse()).toBeNull()
})

describe('the retry', () => {
  function Page({ states }: { states: ConnectionState[] }) {
    const [step, setStep] = useState(0)
    const next = () => setStep((step) => step + 1)
    return (
      <>
        <BotStatus healthy={false} connectionState={states[step] ?? 'connected'} onReconnect={next} />
        <i onClick={next}>next</i>
      </>
    )
  }
  const next = () => fireEvent.click(screen.getByText('next'))

  test('is a real button that submits no form', () => {
    const onReconnect = vi.fn()
    render(<BotStatus healthy={false} connectionState="error" onReconnect={onReconnect} />)
    const button = screen.getByRole('button', { name: 'Click to retry' })
    expect(button.getAttribute('type')).toBe('button')
    fireEvent.click(button)
    expect(onReconnect).toHaveBeenCalledExactlyOnceWith()
  })

  test('keeps its focus while it says what goes on, and back', () => {
    render(<Page states={['error', 'connecting', 'disconnected', 'connecting', 'error', 'connecting', 'connected']} />)
    const button = screen.getByRole('button')
    button.focus()
    fireEvent.click(button)
    expect(document.activeElement).toBe(button)
    expect(button.textContent).toBe('Connecting...')
    expect([button.getAttribute('aria-disabled'), button.getAttribute('aria-busy')]).toEqual(['true', 'true'])
    expect(screen.getAllByText('Connecting...')).toHaveLength(1)
    // It cannot be pressed twice.
    fireEvent.click(button)
    expect(button.textContent).toBe('Connecting...')
    next()
    expect(button.textContent).toBe('Offline')
    next()
    next()
    expect(document.activeElement).toBe(button)
    expect(screen.getByRole('button', { name: 'Click to retry' })).toBe(button)
    expect(button.getAttribute('aria-disabled')).toBeNull()
    next()
    next()
    expect(screen.queryByRole('button')).toBeNull()
    expect(lines()).toEqual(['Offline', 'Check Discord'])
  })

  test('goes when nobody has the focus on it, and does not come back as pressed', () => {
    render(<Page states={['error', 'connecting', 'error', 'connected', 'error', 'connecting']} />)
    next()
    expect(screen.queryByRole('button')).toBeNull()
    next()
    screen.getByRole('button').focus()
    next()
    next()
    next()
    expect(screen.queryByRole('button')).toBeNull()
    expect(lines()).toEqual(['Connecting...'])
  })
})

describe('the live region', () => {
  const said = () => screen.getByRole('status').textContent
  const online = <BotStatus healthy />
  const offline = <BotStatus healthy={false} lastHeartbeat={lastHeartbeat} version="1.4.2" />

  test('is there from the start and says nothing of what is there from the start', async () => {
    render(offline)
    expect(said()).toBe('')
    for (let second = 0; second < 120; second++) {
      await pass(1000)
      expect(said()).toBe('')
    }
  })

  test('says a state that lasts, only its word, once', async () => {
    const { rerender } = render(online)
    await pass(5000)
    rerender(offline)
    await pass(1400)
    expect(said()).toBe('')
    await pass(200)
    expect(said()).toBe('Offline')
    await pass(1000)
    for (let second = 0; second < 120; second++) {
      expect(said()).toBe('')
      await pass(1000)
    }
  })

  test('is silent about what passes', async () => {
    const { rerender } = render(online)
    await pass(5000)
    for (const connectionState of ['disconnected', 'connecting'] as const) {
      rerender(<BotStatus healthy connectionState={connectionState} />)
      await pass(1000)
    }
    rerender(online)
    await pass(1000)
    rerender(offline)
    await pass(1000)
    rerender(online)
    for (let tenth = 0; tenth < 50; tenth++) {
      await pass(100)
      expect(said()).toBe('')
    }
  })

  test('is not there where nobody wants it', async () => {
    const { rerender } = render(<BotStatus healthy announce={false} />)
    await pass(5000)
    rerender(<BotStatus healthy={false} announce={false} />)
    await pass(5000)
    expect(screen.queryByRole('status')).toBeNull()
  })
})

test('there is nothing in it that may not stand in a paragraph, and no button in a button', () => {
  const error = vi.spyOn(console, 'error')
  for (const props of [{ healthy: false, lastHeartbeat }, { healthy: false, connectionState: 'error' }] as BotStatusProps[]) {
    const { container } = render(<p><BotStatus {...props} /></p>)
    expect(container.querySelectorAll('div, p p, button button, button *')).toHaveLength(0)
  }
  expect(error).not.toHaveBeenCalled()
})

test('in StrictMode it is the same', () => {
  const error = vi.spyOn(console, 'error')
  expect(shown(<StrictMode><BotStatus healthy={false} lastHeartbeat={lastHeartbeat} /></StrictMode>)).toEqual([
    'Offline',
    'Last seen: 5 minutes ago',
    'Check Discord',
  ])
  expect(error).not.toHaveBeenCalled()
})

test.each([
  ['a server that is an hour ahead', NOW + 60 * MINUTE],
  ['a server that is an hour behind', NOW - 60 * MINUTE],
])('the markup of %s becomes alive without a warning, and then says the time of here', async (_, serverTime) => {
  const error = vi.spyOn(console, 'error')
  const page = <BotStatus healthy={false} lastHeartbeat={lastHeartbeat} version="1.4.2" announce={false} />
  vi.setSystemTime(serverTime)
  const html = renderToString(page)
  expect(html).not.toContain('ago')
  vi.setSystemTime(NOW)
  const container = document.createElement('div')
  container.innerHTML = html
  const onRecoverableError = vi.fn()
  const root = await act(() => hydrateRoot(container, page, { onRecoverableError }))
  expect(lines(container)).toEqual(['Offline', 'Last seen: 5 minutes ago - v1.4.2', 'Check Discord'])
  expect([...onRecoverableError.mock.calls, ...error.mock.calls]).toEqual([])
  await act(() => root.unmount())
})
