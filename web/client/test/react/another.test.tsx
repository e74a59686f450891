// @vitest-environment happy-dom
/** Another guild, another viewer of the same one, and another element that has the focus. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, fireEvent, render, renderHook, screen } from '@testing-library/react'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReactNode } from 'react'
import { expect, test, vi } from 'vitest'
import type { GuildStatus } from '../../src/core/status.js'
import { BotStatus } from '../../src/react/index.js'
import { useGuildStatusRealtime } from '../../src/useGuildStatusRealtime.js'
import { inAWorld } from './browser.js'

const world = inAWorld()
const FIXTURES = join(import.meta.dirname, '../../../../protocol/fixtures')
const fixture = (name: string): GuildStatus => JSON.parse(readFileSync(join(FIXTURES, `status-${name}.json`), 'utf8'))
const ONLINE = fixture('online')
const GUILD = ONLINE.guildId
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms))
const say = (status: GuildStatus) =>
  act(async () => {
    world().source.open()
    world().source.send(status)
  })

/** The hook, in an app of its own. */
function follow(guildId = GUILD) {
  const client = new QueryClient()
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>
  const read = ({ guildId }: { guildId: string }) => {
    const { data, reconnect } = useGuildStatusRealtime(guildId)
    return { state: data?.state, reconnect }
  }
  return renderHook(read, { wrapper, initialProps: { guildId } })
}

test('who comes later has at once what is known, and asks nobody', async () => {
  render(<BotStatus guildId={GUILD} />)
  await say(ONLINE)
  const { result } = follow()
  expect(result.current.state).toBe('online')
  await pass(1000)
  expect([world().requests.length, world().sources.length]).toEqual([0, 1])
})

test('reconnect is of the guild that is followed now', async () => {
  world().answers = () => ({ json: ONLINE })
  const { result, rerender } = follow()
  const { reconnect } = result.current
  rerender({ guildId: '2' })
  await pass(1000)
  const opened = world().sources.length
  act(() => reconnect())
  expect(world().sources.slice(opened).map(({ url }) => url)).toEqual(['/api/guilds/2/status/stream'])
})

test('the first state of another guild is not announced as a change of the one before', async () => {
  const { rerender } = render(<BotStatus guildId={GUILD} />)
  await say(ONLINE)
  await pass(5000)
  rerender(<BotStatus guildId="2" />)
  await say({ ...fixture('offline-goodbye'), guildId: '2' })
  for (let tenth = 0; tenth < 50; tenth++) {
    await pass(100)
    expect(screen.getByRole('status').textContent).toBe('')
  }
})

test('a retry that has lost the focus does not stay', async () => {
  const { rerender } = render(<BotStatus healthy={false} connectionState="error" />)
  const button = screen.getByRole('button')
  act(() => button.focus())
  fireEvent.click(button)
  act(() => button.blur())
  rerender(<BotStatus healthy={false} connectionState="connecting" />)
  expect(screen.queryByRole('button')).toBeNull()
})
