/** A connection that is lost, in the ways in which connections are, and what becomes of the page meanwhile. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, vi } from 'vitest'
import { GUILD, pause, scene, SOON, type Stage, type View } from './stage.ts'

const LIVE = { state: 'online', word: 'Online', action: '', connectionState: 'connected' } as const
const STOPPED = { state: 'offline', word: 'Offline · shut down by its operator' } as const
/** A stream that is tried again every 10 s, half of it more or less, is back by then. */
const BACK = 17_000
/** The server speaks every 15 s. Who hears nothing asks after 1.3 times that, and waits for at most 10 s. */
const NOTICED = 15_000 * 1.3 + 10_000

/** Starts the server again where it was, as a supervisor does. */
const restart = (stage: Stage) => stage.server.begin(new URL(stage.server.url).host)
/** All that was to be seen of the bot. */
const looks = async (view: View) => (await view.record()).seen.map(({ state, word }) => `${state}: ${word}`).filter((look) => look !== ': ')

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  scene('a stream that is cut every 60 s is cut unseen', async ({ stage, expect }) => {
    stage.bot()
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees(LIVE)
    await pause(3000)
    const { seen: before, spoken: told } = await view.record()
    for (let cut = 0; cut < 2; cut++) {
      await pause(60_000)
      stage.network.cut()
      await view.sees({ connectionState: 'disconnected' })
      await view.sees(LIVE)
    }
    const { seen, spoken } = await view.record()
    for (const { state, word, action, isMuted } of seen.slice(before.length - 1)) {
      expect({ state, word, action, isMuted }).toEqual({ state: 'online', word: 'Online', action: '', isMuted: false })
    }
    expect(spoken).toEqual(told)
    expect(stage.site.open).toHaveLength(1)
  })

  scene('an answer that was asked for before an event and comes after it changes nothing', async ({ stage, expect }) => {
    const bot = stage.bot()
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees(LIVE)
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    stage.site.instead.status = async (request, response) => {
      const answer = await fetch(new URL(request.url!, stage.server.url), { headers: { cookie: request.headers.cookie! } })
      const body = await answer.text()
      asked()
      await released
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    }
    const refetched = view.page.evaluate(() => window.client.refetchQueries())
    await isAsked
    await bot.end('SIGTERM')
    await view.sees(STOPPED)
    release()
    await refetched
    // The answer has come, and the page goes on to show what is newer.
    expect(await view.page.$eval('#data', (data) => JSON.parse(data.textContent!).state)).toBe('offline')
    const { seen } = await view.record()
    expect(seen.slice(seen.findIndex(({ state }) => state === 'offline')).map(({ state }) => state)).not.toContain('online')
  })

  scene('who follows a server that is restarted never sees red, and nothing is said of it', async ({ stage, expect }) => {
    stage.bot()
    const view = await stage.visit({ panel: GUILD }, { browser })
    const since = await view.sees(LIVE)
    // Whoever waited for the page is told when it is there.
    await pause(3000)
    const told = (await view.record()).spoken.length
    await stage.server.end()
    await restart(stage)
    const opened = stage.site.all('stream').length
    await vi.waitFor(() => expect(stage.site.all('stream').length).toBeGreaterThan(opened), BACK)
    await view.sees({ ...LIVE, isMuted: false }, BACK)
    const seen = await view.since(since)
    expect(new Set(seen.map(({ word }) => word))).toEqual(new Set(['Online']))
    expect((await view.record()).spoken).toHaveLength(told)
  })
})

scene('after a restart the last word stays, without its colour, until the bot is heard again', async ({ stage, expect }) => {
  const token = readFileSync(join(stage.server.folder, 'guildpulse-data/bot-token'), 'utf8').trim()
  // A bot that beats seldom, so that the server knows nothing of it for a while.
  const beat = async () => {
    const body = JSON.stringify({ version: '1.4.2', intervalMs: 15_000, shards: [{ id: 2, count: 16 }] })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(new URL('/api/v1/heartbeats', stage.server.url), { method: 'POST', headers, body })
    expect(answer.status).toBe(200)
  }
  await beat()
  const view = await stage.visit({ panel: GUILD })
  const since = await view.sees({ ...LIVE, isMuted: false })
  await stage.server.end()
  await restart(stage)
  await view.sees({ state: 'online', word: 'Online', isMuted: true }, BACK)
  await beat()
  await view.sees({ ...LIVE, isMuted: false })
  expect(new Set((await view.since(since)).map(({ word }) => word))).toEqual(new Set(['Online']))
})

scene('a server that was gone for a minute is live again within 17 s of its return, without a click', async ({ stage, expect }) => {
  stage.bot()
  const view = await stage.visit({ panel: GUILD })
  await view.sees(LIVE)
  await stage.server.end('SIGKILL')
  await view.sees({ connectionState: 'error' }, 60_000)
  await pause(60_000)
  await restart(stage)
  const back = Date.now()
  expect((await view.sees({ ...LIVE, isMuted: false }, BACK)) - back).toBeLessThanOrEqual(BACK)
  const words = new Set((await looks(view)).filter((look) => !look.startsWith('connecting')))
  expect(words).toEqual(new Set(['online: Online']))
})

scene('a network that loses everything and closes nothing is noticed, and the page is live again when it is back', async ({ stage, expect }) => {
  const bot = stage.bot()
  const view = await stage.visit({ panel: GUILD })
  await view.sees(LIVE)
  stage.network.become('silent')
  const since = Date.now()
  const noticed = await view.sees({ connectionState: 'disconnected' }, NOTICED + SOON)
  // A status may just have come.
  expect(noticed - since).toBeLessThan(NOTICED + 2000)
  await bot.end('SIGTERM')
  stage.network.become('up')
  await view.sees({ ...STOPPED, connectionState: 'connected' }, BACK)
})

scene('a server that has lost its database is followed on, though it numbers anew', async ({ stage, expect }) => {
  const bot = stage.bot()
  const view = await stage.visit({ panel: GUILD })
  await view.sees(LIVE)
  await stage.server.end('SIGKILL')
  const data = join(stage.server.folder, 'guildpulse-data')
  const lost = readdirSync(data).filter((file) => file.startsWith('guildpulse.'))
  expect(lost).toContain('guildpulse.db')
  for (const file of lost) rmSync(join(data, file))
  await restart(stage)
  await view.sees({ ...LIVE, isMuted: false }, BACK)
  await bot.end('SIGTERM')
  await view.sees(STOPPED)
})

scene('a laptop that wakes up shows what is so at once, and follows it', async ({ stage, expect }) => {
  const bot = stage.bot()
  const view = await stage.visit({ panel: GUILD }, { isAlone: true })
  await view.sees(LIVE)
  // The browser's processes are a group of their own.
  const group = -(await stage.browser()).process()!.pid!
  process.kill(group, 'SIGSTOP')
  try {
    await bot.end('SIGTERM')
    // Whatever lies between has forgotten the connection.
    stage.network.cut()
    await pause(45_000)
  } finally {
    process.kill(group, 'SIGCONT')
  }
  const woken = Date.now()
  await view.sees(STOPPED, BACK)
  // What had come before the connection was cut is read first.
  await vi.waitFor(() => expect(stage.site.open).toHaveLength(1), BACK)
  await view.sees({ ...STOPPED, connectionState: 'connected' })
  expect((await view.since(woken)).map(({ word }) => word)).not.toContain('Connection lost')
})
