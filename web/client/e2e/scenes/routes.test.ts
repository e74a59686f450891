/** Pages that come and go: one stream for what is to be seen, and none for what is not. */
import { describe } from 'vitest'
import type { Shown } from './app/main.tsx'
import type { BrowserName } from './browsers.ts'
import { GUILD, OTHER_GUILD, pause, scene, SOON, type Stage, type View } from './stage.ts'

const CHANGES = 100
const LIVE = { state: 'online', word: 'Online', connectionState: 'connected' } as const
const streamOf = (guildId: string) => `/api/guilds/${guildId}/status/stream`
const sse = streamOf(GUILD)

/** How long it takes until the streams of these addresses are open, and no others. */
async function settles(stage: Stage, ...urls: string[]): Promise<number> {
  const begin = Date.now()
  for (;;) {
    const open = stage.site.open.map(({ url }) => url)
    if (open.join() === urls.join()) return Date.now() - begin
    if (Date.now() - begin > SOON) throw new Error(`open are ${open}, not ${urls}`)
    await pause(2)
  }
}

/** Renders it so often, each time with new callbacks. */
async function render(view: View, shown: Shown, times: number): Promise<void> {
  await view.page.evaluate(
    (shown, times) => {
      for (let time = 0; time < times; time++) window.show({ ...shown })
    },
    shown,
    times,
  )
}

const PAGES = {
  'the status of a guild': (panel: string) => ({ panel }),
  'any stream': (guildId: string) => ({ sse: streamOf(guildId) }),
} as const

function goFromRouteToRoute(browser: BrowserName, what: keyof typeof PAGES, isStrict: boolean): void {
  scene(`whoever goes from page to page has one stream, with ${what}${isStrict ? ' in StrictMode' : ''}`, async ({ stage, expect }) => {
    stage.bot()
    const pageOf = PAGES[what]
    const view = await stage.visit(pageOf(GUILD), { browser, isStrict })
    await view.sees({ connectionState: 'connected' })
    await settles(stage, streamOf(GUILD))
    const begun = stage.site.all('stream').length
    // React mounts twice in StrictMode, and a stream that nobody shares may have been asked for before it is closed.
    expect(begun).toBeLessThanOrEqual(what === 'any stream' && isStrict ? 2 : 1)
    const times: number[] = []
    for (let change = 1; change <= CHANGES; change++) {
      const guildId = change % 2 ? OTHER_GUILD : GUILD
      await view.show(pageOf(guildId))
      times.push(await settles(stage, streamOf(guildId)))
    }
    // Chromium reads on for 5 s if it had just got the head, to keep the connection; so it is not all of them.
    expect(times.sort((a, b) => a - b)[CHANGES * 0.9]).toBeLessThan(100)
    const streams = stage.site.all('stream').slice(begun)
    expect(streams.filter(({ beside }) => beside > 0)).toEqual([])
    expect(streams).toHaveLength(CHANGES)

    // Faster than any stream opens.
    await view.page.evaluate(
      (pages, changes) => {
        for (let change = 1; change <= changes; change++) window.show(pages[change % 2]!)
      },
      [pageOf(GUILD), pageOf(OTHER_GUILD)],
      CHANGES,
    )
    await settles(stage, streamOf(GUILD))
    await view.sees({ connectionState: 'connected' })
    await stage.hasViewers(1)
    await view.show({ nothing: true })
    await settles(stage)
    await stage.hasViewers(0)
  })
}

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  goFromRouteToRoute(browser, 'the status of a guild', false)
  goFromRouteToRoute(browser, 'the status of a guild', true)
  goFromRouteToRoute(browser, 'any stream', false)
  goFromRouteToRoute(browser, 'any stream', true)
})

scene.for([
  ['the status of a guild', { panel: GUILD }, 'Panel'],
  ['any stream', { sse }, 'Stream'],
] as const)('1,000 renders with new callbacks are one request for %s', async ([, shown, name], { stage, expect }) => {
  stage.bot()
  const view = await stage.visit(shown)
  await view.sees({ connectionState: 'connected' })
  await render(view, shown, 1000)
  const { renders, seen } = await view.record()
  expect(renders[name]).toBeGreaterThanOrEqual(1000)
  expect(stage.site.all('stream')).toHaveLength(1)
  expect(seen.slice(-1)).toMatchObject([{ connectionState: 'connected' }])
  expect(seen.map(({ connectionState }) => connectionState)).not.toContain('disconnected')
  await stage.hasViewers(1)
  await view.show({ nothing: true })
  await stage.hasViewers(0)
})

scene('all who look at one guild share one stream, also those who come as others go, until the last of them is gone', async ({ stage, expect }) => {
  stage.bot()
  const view = await stage.visit({ panel: GUILD, times: 2 })
  await view.sees(LIVE)
  const words = () => view.page.$$eval('[data-part=word], #connection', (all) => all.map(({ textContent }) => textContent))
  expect(await words()).toEqual(['Online', 'connected', 'Online', 'connected'])
  await view.show({ panel: GUILD })
  await view.show({ panel: GUILD, times: 2 })
  expect(await words()).toEqual(['Online', 'connected', 'Online', 'connected'])
  // Another page, which happens to follow the same guild.
  await view.show({ state: GUILD })
  await view.page.waitForFunction(() => document.getElementById('state')?.textContent === 'online', { timeout: SOON })
  await view.show({ panel: GUILD })
  await view.sees(LIVE)
  expect(stage.site.all('stream')).toHaveLength(1)
  await stage.hasViewers(1)
  await view.show({ nothing: true })
  await stage.hasViewers(0)
})

scene('a page that is kept for the way back has no stream meanwhile, and shows what is true on return', async ({ stage, expect }) => {
  const bot = stage.bot()
  const view = await stage.visit({ panel: GUILD })
  await view.sees(LIVE)
  await view.page.goto(`${stage.network.url}/elsewhere`)
  await settles(stage)
  await stage.hasViewers(0)
  const asked = stage.site.asked.length
  await bot.end('SIGKILL')

  await view.page.goBack()
  // The browser's own word for it: this is the page that was left, and no other.
  await view.sees({ state: 'offline', word: 'Offline · stopped responding', connectionState: 'connected' })
  const { page, seen } = await view.record()
  expect(page).toEqual(expect.arrayContaining(['pagehide true', 'pageshow true']))
  expect(seen.map(({ word }) => word)).not.toContain('Connection lost')
  await stage.hasViewers(1)
  expect(stage.site.asked.slice(asked).filter(({ what }) => what === 'stream')).toHaveLength(1)
})
