// @vitest-environment happy-dom
import { act, fireEvent, render, screen } from '@testing-library/react'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { GuildStatus } from '../../src/core/status.js'
import { BotStatus, type BotStatusProps } from '../../src/react/index.js'
import { inAWorld } from './browser.js'

const world = inAWorld()
const GUILD = '81384788765712384'
const FIXTURES = join(import.meta.dirname, '../../../../protocol/fixtures')
const fixture = (name: string): GuildStatus => JSON.parse(readFileSync(join(FIXTURES, `status-${name}.json`), 'utf8'))
const ONLINE = fixture('online')
const NOW = Date.UTC(2026, 10, 22, 20, 25)
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))
const hello = (ahead = 0) => ({
  protocol: 1,
  snapshotIntervalMs: 15_000,
  retryMs: 1000,
  now: new Date(Date.now() + ahead).toISOString(),
  boot: 1,
})

beforeEach(() => {
  vi.setSystemTime(NOW)
})

/** What is to be read, line by line. */
function lines(container: Element = document.body): string[] {
  const parts = ['word', 'last-seen', 'hint', 'action'].map((part) => `[data-part=${part}]`)
  return [...container.querySelectorAll(parts.join())].map((part) => part.textContent)
}
const root = () => document.querySelector<HTMLElement>('[data-part=root]')!
const state = () => root().dataset.state
const follow = (props: Partial<BotStatusProps> = {}) =>
  render(<BotStatus {...({ guildId: GUILD, ...props } as BotStatusProps)} />)

/** The stream opens, and this is said on it. */
async function say(...statuses: object[]): Promise<void> {
  await act(async () => {
    world().source.open()
    world().source.send(hello(), 'hello')
    for (const status of statuses) world().source.send(status)
  })
}

/** The stream fails until it is given up. */
async function failForGood(): Promise<void> {
  for (let attempt = 0; attempt < 4; attempt++) {
    act(() => world().source.drop())
    await pass(attempt < 3 ? 1000 * 2 ** attempt : 0)
  }
}

const SEEN = 'Last seen: 5 minutes ago - v1.4.2'
test.each([
  ['online', 'online', ['Online']],
  ['reconnecting-resuming', 'reconnecting', ['Online · reconnecting to Discord']],
  ['reconnecting-discord-outage', 'reconnecting', ['Discord outage']],
  ['offline-heartbeat-timeout', 'offline', ['Offline · stopped responding', SEEN]],
  ['offline-goodbye', 'offline', ['Offline · shut down by its operator', SEEN]],
  ['offline-fatal', 'offline', ['Offline · Discord refused the login', SEEN]],
  ['offline-starting', 'offline', ['Offline · starting, not connected to Discord yet', SEEN]],
  ['offline-gateway-disconnected', 'offline', ['Offline · running, but cut off from Discord', SEEN]],
  ['offline-discord-outage', 'offline', ['Discord outage', SEEN]],
  ['unavailable', 'unavailable', ['Discord outage', SEEN]],
  ['unknown-never-seen', 'unknown', ['Not connected yet']],
  ['unknown-server-restarted', 'unknown', ['Unknown · guildpulse was restarted']],
  ['unknown-server-suspended', 'unknown', ['Unknown · guildpulse was asleep']],
  ['unknown-upstream-unreachable', 'unknown', ['Unknown · guildpulse cannot reach its backend', SEEN]],
])('%s is %s: %j', async (name, expected, words) => {
  follow()
  const status = fixture(name)
  await say({ ...status, ...(status.lastHeartbeat && { lastHeartbeat: '2026-11-22T20:20:00.000Z' }) })
  expect(lines()).toEqual(words)
  expect([state(), root().dataset.reason]).toEqual([expected, status.reason ?? undefined])
})

test('a restart says when the bot means to be back, by the clock of the server', async () => {
  follow()
  await say()
  const expectedBack = new Date(NOW + 3_600_000 + 100_000).toISOString()
  await act(async () => {
    world().source.send(hello(3_600_000), 'hello')
    world().source.send({ ...fixture('maintenance'), expectedBack })
  })
  expect(lines()[0]).toBe('Restarting · back in about 2 min')
  expect(state()).toBe('maintenance')
})

test('a restart counts down although nothing is heard', async () => {
  follow({ announce: false })
  const expectedBack = new Date(NOW + 100_000).toISOString()
  await act(async () => {
    world().source.open()
    world().source.send({ ...fixture('maintenance'), expectedBack })
  })
  expect(lines()[0]).toBe('Restarting · back in about 2 min')
  await pass(31_000)
  expect(lines()[0]).toBe('Restarting · back in about 1 min')
})

test('a reason of a newer server is shown as it came', async () => {
  follow()
  await say({ ...ONLINE, healthy: false, state: 'offline', reason: 'eaten_by_a_bear' })
  expect(lines()[0]).toBe('Offline · eaten by a bear')
})

test('a heartbeat is told by the clock of the server, and never of the future', async () => {
  follow()
  await say()
  const down = { ...fixture('offline-goodbye'), version: null }
  await act(async () => {
    world().source.send(hello(3_600_000), 'hello')
    world().source.send({ ...down, lastHeartbeat: new Date(NOW + 3_600_000 - 300_000).toISOString() })
  })
  expect(lines()[1]).toBe('Last seen: 5 minutes ago')
  act(() => world().source.send({ ...down, revision: '1795378677.5000', lastHeartbeat: new Date(NOW + 3_780_000).toISOString() }))
  expect(lines()[1]).toBe('Last seen: less than a minute ago')
})

test('without a guild it waits and asks nobody', async () => {
  follow({ guildId: null })
  await pass(200_000)
  expect(lines()).toEqual(['Connecting...'])
  expect([world().sources, world().requests]).toEqual([[], []])
})

test('where to ask may be given', () => {
  follow({ streamUrl: '/s', statusUrl: '/j', withCredentials: true })
  expect([world().source.url, world().source.withCredentials]).toEqual(['/s', true])
})

test('two of a page share one stream, also in StrictMode', async () => {
  const error = vi.spyOn(console, 'error')
  render(
    <StrictMode>
      <BotStatus guildId={GUILD} />
      <BotStatus guildId={GUILD} />
    </StrictMode>,
  )
  await pass(0)
  expect(world().open).toHaveLength(1)
  await say(ONLINE)
  expect(lines()).toEqual(['Online', 'Online'])
  expect(error).not.toHaveBeenCalled()
})

describe('while the stream is away', () => {
  test('a known status stays, through all attempts, and then says how it is kept and how to be live again', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => ({ json: ONLINE })
    for (const delay of [1000, 2000, 4000]) {
      act(() => world().source.drop())
      expect(lines()).toEqual(['Online'])
      await pass(delay)
      expect(lines()).toEqual(['Online'])
    }
    act(() => world().source.drop())
    await pass(0)
    expect(lines()).toEqual(['Online', 'Updates every minute · Retry live'])
    expect(screen.getByRole('button', { name: 'Retry live' })).toBeTruthy()
    // Polls confirm it for as long as they are answered.
    for (let minute = 0; minute < 10; minute++) {
      await pass(60_000)
      expect(state()).toBe('online')
    }
  })

  test('the retry is pressed, keeps its focus, and goes when the stream is there', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => ({ json: ONLINE })
    await failForGood()
    const button = screen.getByRole('button')
    button.focus()
    fireEvent.click(button)
    expect(lines()).toEqual(['Online', 'Updates every minute · Connecting...'])
    await failForGood()
    expect(lines()).toEqual(['Online', 'Updates every minute · Retry live'])
    expect(document.activeElement).toBe(button)
    fireEvent.click(button)
    await say(ONLINE)
    expect(lines()).toEqual(['Online'])
  })

  test('it is yellow only once nothing was confirmed for two polls, and a retry brings it back', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => new Error('no network')
    await failForGood()
    await pass(120_000 - 7000 - 1000)
    expect(state()).toBe('online')
    await pass(2000)
    expect(lines()).toEqual(['Connection lost', 'Click to retry'])
    expect(state()).toBe('error')
    const button = screen.getByRole('button')
    button.focus()
    fireEvent.click(button)
    expect(state()).toBe('connecting')
    expect(document.body.textContent).toBe('Connecting...')
    expect(document.activeElement).toBe(button)
    await say(ONLINE)
    expect(lines()).toEqual(['Online'])
  })

  test('who comes later does not begin to count anew', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => new Error('no network')
    await failForGood()
    await pass(100_000)
    const { container } = follow()
    expect(lines(container)[0]).toBe('Online')
    await pass(14_000)
    expect(lines(container)).toEqual(['Connection lost', 'Click to retry'])
  })

  test('a poll that is answered ends the yellow', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => new Error('no network')
    await failForGood()
    await pass(125_000)
    expect(state()).toBe('error')
    world().answers = () => ({ json: ONLINE })
    await pass(60_000)
    expect(lines()).toEqual(['Online', 'Updates every minute · Retry live'])
  })

  test('with nothing known it is connecting, may be retried, and is yellow after two polls', async () => {
    follow()
    world().answers = () => new Error('no network')
    expect(lines()).toEqual(['Connecting...'])
    await failForGood()
    expect(lines()).toEqual(['Connecting...', 'Click to retry'])
    await pass(100_000)
    expect(state()).toBe('connecting')
    await pass(20_000)
    expect(state()).toBe('error')
  })

  test('a stream that announces nothing may be silent for hours', async () => {
    follow()
    await act(async () => {
      world().source.open()
      world().source.send(ONLINE)
    })
    await pass(3 * 3_600_000)
    expect(lines()).toEqual(['Online'])
  })

  test('time in which the page is hidden does not count', async () => {
    const visibility = vi.spyOn(document, 'visibilityState', 'get')
    const turn = (to: DocumentVisibilityState) =>
      act(() => {
        visibility.mockReturnValue(to)
        document.dispatchEvent(new Event('visibilitychange'))
      })
    follow()
    await say(ONLINE)
    world().answers = () => new Error('no network')
    turn('hidden')
    await pass(600_000)
    turn('visible')
    expect(state()).toBe('online')
    await failForGood()
    await pass(110_000)
    expect(state()).toBe('online')
    await pass(10_000)
    expect(state()).toBe('error')
  })

  test('time in which the machine sleeps does not count', async () => {
    follow()
    await say(ONLINE)
    world().answers = () => new Error('no network')
    await failForGood()
    await pass(60_000)
    vi.setSystemTime(Date.now() + 8 * 3_600_000)
    await pass(60_000)
    expect(state()).toBe('online')
    await pass(120_000)
    expect(state()).toBe('error')
  })
})

describe("the server's own restart", () => {
  const restarted = { ...fixture('unknown-server-restarted'), revision: '1795378999.1' }

  test('leaves the last word, muted, for 5 s', async () => {
    follow()
    await say(ONLINE)
    await say(restarted)
    expect([lines(), state(), root().dataset.muted]).toEqual([['Online'], 'online', 'true'])
    await pass(4900)
    expect(lines()).toEqual(['Online'])
    await pass(200)
    expect([lines(), state(), root().dataset.muted]).toEqual([['Unknown · guildpulse was restarted'], 'unknown', undefined])
  })

  test('is over with the next word, and may come again', async () => {
    follow()
    for (const boot of ['1', '2', '3']) {
      await say({ ...ONLINE, revision: `${boot}.5` })
      expect(root().dataset.muted).toBeUndefined()
      await say({ ...restarted, revision: `${boot}9.1` })
      expect(root().dataset.muted).toBe('true')
      expect(root().querySelector('[data-part=pulse]')).toBeNull()
      await pass(6000)
      expect(state()).toBe('unknown')
    }
    await say({ ...fixture('offline-goodbye'), revision: '40.1' })
    expect([state(), root().dataset.muted]).toEqual(['offline', undefined])
  })

  test('is said as it is to who has no last word', async () => {
    follow()
    await say(restarted)
    expect(lines()).toEqual(['Unknown · guildpulse was restarted'])
  })
})

test.each([
  [401, 'signed-out', 'Signed out'],
  [403, 'forbidden', 'No access to this server'],
])('an answer of %i is %s', async (status, expected, word) => {
  const onUnauthorized = vi.fn()
  follow({ onUnauthorized })
  await say(ONLINE)
  world().answers = () => ({ status, json: {} })
  act(() => world().source.refuse())
  await pass(0)
  expect([state(), lines()[0]]).toEqual([expected, word])
  expect(onUnauthorized).toHaveBeenCalledTimes(status === 401 ? 1 : 0)
  await pass(600_000)
  expect(state()).toBe(expected)
  world().answers = undefined
  // Whoever has signed in meanwhile sees nothing that is ten minutes old.
  fireEvent.click(screen.getByRole('button'))
  expect(lines()).toEqual(['Connecting...'])
  await say(ONLINE)
  expect(lines()).toEqual(['Online'])
})

test('data that is none is reported, and what is shown stays', async () => {
  const onParseError = vi.fn()
  follow({ onParseError })
  await say(ONLINE, { ...ONLINE, guildId: '1', state: 'offline' }, { state: 'offline' })
  expect(onParseError).toHaveBeenCalledTimes(2)
  expect(lines()).toEqual(['Online'])
})

test('the pulse plays once for each frame of a bot that lives', async () => {
  const { container } = follow()
  const pulse = () => container.querySelector('[data-part=pulse]')
  expect(pulse()).toBeNull()
  await say(ONLINE)
  const first = pulse()
  expect(first).not.toBeNull()
  await pass(10_000)
  expect(pulse()).toBe(first)
  act(() => world().source.send({ ...ONLINE }))
  expect(pulse()).not.toBe(first)
  act(() => world().source.send({ ...fixture('offline-goodbye'), revision: '1795378677.9000' }))
  expect(pulse()).toBeNull()
})

test('another guild has nothing of the one before', async () => {
  const { rerender } = follow()
  await say(ONLINE)
  rerender(<BotStatus guildId="2" />)
  expect(lines()).toEqual(['Connecting...'])
  await say({ ...fixture('unknown-server-restarted'), guildId: '2' })
  expect(lines()).toEqual(['Unknown · guildpulse was restarted'])
  await pass(0)
  expect(world().open.map(({ url }) => url)).toEqual(['/api/guilds/2/status/stream'])
})

test('a change is said once it lasts, frames and countdowns are not', async () => {
  follow()
  const said: string[] = []
  const observer = new MutationObserver(() => {
    const text = screen.getByRole('status').textContent
    if (text) said.push(text)
  })
  observer.observe(screen.getByRole('status'), { childList: true, characterData: true, subtree: true })
  await say(ONLINE)
  const maintenance = { ...fixture('maintenance'), revision: '1795378677.9000', expectedBack: new Date(NOW + 150_000).toISOString() }
  for (const status of [ONLINE, ONLINE, maintenance, maintenance, maintenance, maintenance, maintenance]) {
    await pass(14_000)
    act(() => world().source.send(status))
  }
  await pass(5000)
  observer.disconnect()
  expect(said).toEqual(['Restarting · back in about 2 min'])
})

test('in a list nothing is announced', () => {
  follow({ announce: false })
  expect(screen.queryByRole('status')).toBeNull()
})

test('the markup of a server becomes alive without a warning and without a request on the server', async () => {
  const error = vi.spyOn(console, 'error')
  const page = <BotStatus guildId={GUILD} />
  vi.setSystemTime(NOW + 3_600_000)
  const html = renderToString(page)
  expect([world().sources, world().requests]).toEqual([[], []])
  vi.setSystemTime(NOW)
  const container = document.body.appendChild(document.createElement('div'))
  container.innerHTML = html
  const onRecoverableError = vi.fn()
  const hydrated = await act(() => hydrateRoot(container, page, { onRecoverableError }))
  expect(lines(container)).toEqual(['Connecting...'])
  await say(ONLINE)
  expect(lines(container)).toEqual(['Online'])
  expect([...onRecoverableError.mock.calls, ...error.mock.calls]).toEqual([])
  await act(() => hydrated.unmount())
  container.remove()
})

test('nothing is left behind by who leaves', async () => {
  const { unmount } = follow()
  await say(ONLINE)
  unmount()
  await pass(100)
  expect(world().open).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
