/** A page that nobody looks at, really: in a tab behind another. */
import { describe, vi } from 'vitest'
import type { Page } from 'puppeteer-core'
import { GUILD, pause, scene, SOON, type Stage, type View } from './stage.ts'

const LIVE = { state: 'online', word: 'Online', action: '', connectionState: 'connected' } as const
/** A page that is hidden for so long gives up its stream. */
const PAUSED = 60_000
/** Whoever comes back to a page sees it live by then. */
const SHOWN = 2000

const visibility = (page: Page) => page.evaluate(() => document.visibilityState)

/** Opens a tab before the page. */
async function hide(stage: Stage, view: View): Promise<void> {
  const other = await (await stage.browser()).newPage()
  await other.bringToFront()
  await vi.waitFor(async () => {
    if ((await visibility(view.page)) !== 'hidden') throw new Error('it is still to be seen')
  }, SOON)
}

/** Comes back to it; returns when that was. */
async function show(view: View): Promise<number> {
  const at = Date.now()
  await view.page.bringToFront()
  await vi.waitFor(async () => {
    if ((await visibility(view.page)) !== 'visible') throw new Error('it is not to be seen')
  }, SOON)
  return at
}

describe('a hidden page', () => {
  scene('gives up its stream after a minute, and is live within 2 s once it is looked at', async ({ stage, expect }) => {
    stage.bot()
    const view = await stage.visit({ panel: GUILD }, { isAlone: true })
    await view.sees(LIVE)
    await hide(stage, view)
    await pause(PAUSED - 10_000)
    expect(await stage.metric('guildpulse_viewers')).toBe(1)
    await vi.waitFor(async () => expect(await stage.metric('guildpulse_viewers')).toBe(0), 10_000 + SOON)
    const asked = stage.site.asked.length
    await pause(20_000)
    expect(stage.site.asked).toHaveLength(asked)

    const shown = await show(view)
    expect((await view.sees(LIVE, SHOWN + SOON)) - shown).toBeLessThanOrEqual(SHOWN)
    expect(await stage.metric('guildpulse_viewers')).toBe(1)
    const { seen, page } = await view.record()
    expect(new Set(seen.filter(({ at }) => at > shown).map(({ word }) => word))).toEqual(new Set(['Online']))
    expect(page).toContain('hidden')
  })

  scene('whose server was gone for a minute is live within 2 s once it is looked at', async ({ stage, expect }) => {
    stage.bot()
    const view = await stage.visit({ panel: GUILD }, { isAlone: true })
    await view.sees(LIVE)
    await hide(stage, view)
    await stage.server.end('SIGKILL')
    await pause(60_000)
    await stage.server.begin(new URL(stage.server.url).host)
    // The bot has to be heard again before anybody can know.
    await pause(5000)
    const shown = await show(view)
    expect((await view.sees({ ...LIVE, isMuted: false }, SHOWN + SOON)) - shown).toBeLessThanOrEqual(SHOWN)
  })

  scene('that was hidden for less than a minute has its stream still, and is told of nothing twice', async ({ stage, expect }) => {
    const bot = stage.bot()
    const view = await stage.visit({ panel: GUILD }, { isAlone: true })
    await view.sees(LIVE)
    await hide(stage, view)
    await bot.end('SIGTERM')
    await pause(20_000)
    await show(view)
    await view.sees({ state: 'offline', word: 'Offline · shut down by its operator', connectionState: 'connected' }, SHOWN)
    expect(stage.site.all('stream')).toHaveLength(1)
  })
})
