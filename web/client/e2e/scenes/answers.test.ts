/** Answers that are no stream, or no status: what is shown, what is asked, and how it goes on once they are right. */
import { describe, vi } from 'vitest'
import { begin, type Answer } from '../../fixtures/servers/base.ts'
import type { BrowserName } from './browsers.ts'
import { always } from './site.ts'
import { GUILD, pause, scene, SOON, type View } from './stage.ts'

/** All retries of a stream that is refused at once, at their longest. */
const SPENT = 10_500 + SOON
/** A second stream is asked for by then at the latest, if one is asked for at all. */
const AS_LONG_AS_A_REVIVAL = 15_500
const LIVE = { state: 'online', word: 'Online', action: '', connectionState: 'connected' } as const
const POLLED = { state: 'online', word: 'Online', action: 'Updates every minute · Retry live', connectionState: 'error' } as const

/** The whole page of an app that answers everything with itself. */
const page = always(200, { 'content-type': 'text/html; charset=utf-8' }, '<!doctype html><title>A dashboard</title>')

/** What an app does by itself, as when its window is looked at again. */
const refetch = (view: View) => view.page.evaluate(() => window.client.refetchQueries())
/** A sign-in, or a change of roles, in another tab: the next request has another cookie. */
const signIn = (view: View) => view.page.evaluate(async () => void (await fetch('/')))


/** A stream that there is not, on a site that has the status all the same. */
function pollOnly(browser: BrowserName, what: string, answer: Answer): void {
  scene(`a stream that is answered with ${what} is given up for polls, until a click on what is offered`, async ({ stage, expect }) => {
    const bot = stage.bot('--version', '1.4.2')
    stage.site.instead.stream = answer
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees({ state: 'online' })
    const spent = await view.sees(POLLED, SPENT)
    const before = stage.site.asked.filter(({ at }) => at <= spent)
    // Fewer where an answer takes so long that it comes after the second refusal.
    expect(before.filter(({ what }) => what === 'stream').length).toBeLessThanOrEqual(4)
    expect(before.length).toBeLessThanOrEqual(4 + 2)

    await bot.end('SIGKILL')
    await vi.waitFor(async () => {
      await refetch(view)
      expect(await view.now()).toMatchObject({ state: 'offline', word: 'Offline · stopped responding' })
    }, { timeout: SOON, interval: 1000 })
    // Beside answers it was refused again and again: there is no stream here.
    const asked = stage.site.all('stream').length
    await pause(AS_LONG_AS_A_REVIVAL)
    expect(stage.site.all('stream')).toHaveLength(asked)

    stage.site.instead = {}
    stage.bot('--version', '1.4.2')
    await view.retry('Updates every minute · Retry live')
    await view.sees(LIVE)
    const { seen, unauthorized } = await view.record()
    expect(seen.map(({ word }) => word)).not.toContain('Connection lost')
    expect(unauthorized).toBe(0)
    expect(await stage.metric('guildpulse_viewers')).toBe(1)
  })
}

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  pollOnly(browser, '404', always(404))
  pollOnly(browser, 'a page', page)

  scene('who is signed out is told so once, and nothing is asked until they try again', async ({ stage, expect }) => {
    stage.bot()
    const { token } = stage.site
    stage.site.token = undefined
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees({ state: 'signed-out', word: 'Signed out', action: 'Click to retry' })
    const asked = stage.site.asked.length
    await pause(AS_LONG_AS_A_REVIVAL)
    expect(stage.site.asked).toHaveLength(asked)
    expect(stage.site.all('stream')).toHaveLength(1)
    expect(await stage.metric('guildpulse_viewers')).toBe(0)
    // Nor is it news if the app asks.
    await refetch(view)
    expect(stage.site.asked).toHaveLength(asked + 1)
    expect((await view.record()).unauthorized).toBe(1)

    stage.site.token = token
    await signIn(view)
    await view.retry('Click to retry')
    await view.sees(LIVE)
    expect((await view.record()).unauthorized).toBe(1)
  })

  scene('who may not see the guild is told so, and nothing is asked until they try again', async ({ stage, expect }) => {
    stage.bot()
    const { token } = stage.site
    stage.site.token = stage.server.token('--guild', '41771983423143937')
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees({ state: 'forbidden', word: 'No access to this server', action: 'Click to retry' })
    const asked = stage.site.asked.length
    await pause(AS_LONG_AS_A_REVIVAL)
    expect(stage.site.asked).toHaveLength(asked)
    expect((await view.record()).unauthorized).toBe(0)

    stage.site.token = token
    await signIn(view)
    await view.retry('Click to retry')
    await view.sees(LIVE)
  })
})

pollOnly('chromium', '204', always(204))
pollOnly('chromium', '401, though the viewer may see the status,', always(401))

scene('a stream does not outlive the credential of its viewer, whom a poll calls signed out', async ({ stage, expect }) => {
  stage.bot()
  const view = await stage.visit({ panel: GUILD })
  await view.sees(LIVE)
  stage.site.instead.status = always(401)
  await refetch(view)
  await view.sees({ state: 'signed-out', word: 'Signed out', action: 'Click to retry' })
  // The browser's end of it reaches the site a moment later.
  await vi.waitFor(() => expect(stage.site.open).toEqual([]), SOON)
  const asked = stage.site.asked.length
  await pause(AS_LONG_AS_A_REVIVAL)
  expect(stage.site.asked).toHaveLength(asked)
  expect((await view.record()).unauthorized).toBe(1)

  stage.site.instead = {}
  await view.retry('Click to retry')
  await view.sees(LIVE)
})

scene('a server that says when to come back is not asked before, and is then live by itself', async ({ stage, expect }) => {
  stage.bot()
  stage.site.instead.stream = stage.site.instead.status = always(503, { 'retry-after': '8' })
  const view = await stage.visit({ panel: GUILD })
  await view.sees({ state: 'connecting', word: 'Connecting...', connectionState: 'disconnected' })
  const refused = stage.site.all('status')[0]!.at
  // Longer than until the first retry of its own, for which it need not have been told yet.
  await pause(2500)
  const asked = stage.site.asked.length
  stage.site.instead = {}
  await view.sees(LIVE, 8000 + SOON)
  const [first, ...later] = stage.site.asked.slice(asked)
  expect(first!.at - refused).toBeGreaterThanOrEqual(8000)
  expect(first!.what).toBe('stream')
  expect(later).toEqual([])
})

scene('a proxy that opens the stream and keeps what is in it is no connection: polls go on, and it is tried again', async ({ stage, expect }) => {
  stage.bot()
  stage.site.instead.stream = (_, response) => begin(response)
  const view = await stage.visit({ panel: GUILD })
  const failed = await view.sees({ state: 'online', connectionState: 'disconnected' })
  const opened = (await view.record()).seen.find(({ connectionState }) => connectionState === 'connected')!.at
  expect(failed - opened).toBeGreaterThan(4500)
  expect(failed - opened).toBeLessThan(7500)
  // What is not confirmed is asked for: once for the page, and once when the stream was lost.
  expect(stage.site.all('status')).toHaveLength(2)
  await view.sees(POLLED, 4 * 5000 + SPENT)
  expect(stage.site.all('stream')).toHaveLength(4)

  stage.site.instead = {}
  await view.sees(LIVE, AS_LONG_AS_A_REVIVAL + SOON)
  const { seen } = await view.record()
  expect(seen.map(({ word }) => word)).not.toContain('Connection lost')
  expect(stage.site.open).toHaveLength(1)
})
