/** Ends that somebody has announced: of the bot, and of the viewer's own right. */
import { describe } from 'vitest'
import { GUILD, pause, scene, SOON, type View } from './stage.ts'

const LIVE = { state: 'online', word: 'Online', action: '', connectionState: 'connected' } as const
/** How long the tokens of these scenes are good, and how much later they are still taken. */
const TTL = 8000
const LEEWAY = 5000
/** A second stream is asked for by then at the latest, if one is asked for at all. */
const AS_LONG_AS_A_REVIVAL = 15_500

/** A sign-in in another tab: the next request has another cookie. */
const signIn = (view: View) => view.page.evaluate(async () => void (await fetch('/')))

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  scene('a bot that is shut down is seen to be at once', async ({ stage, expect }) => {
    const bot = stage.bot()
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees(LIVE)
    const stopped = Date.now()
    await bot.end('SIGTERM')
    const seen = await view.sees({ state: 'offline', word: 'Offline · shut down by its operator' })
    expect(seen - stopped).toBeLessThan(1000)
  })

  scene('whose token ends is signed out, and asks for nothing more', async ({ stage, expect }) => {
    stage.bot()
    stage.site.token = stage.server.token('--guild', GUILD, '--ttl', `${TTL / 1000}s`)
    const issued = Date.now()
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees(LIVE)
    const out = await view.sees({ state: 'signed-out', word: 'Signed out', action: 'Click to retry' }, TTL + LEEWAY + SOON)
    expect(out - issued).toBeGreaterThan(TTL)
    expect(out - issued).toBeLessThan(TTL + LEEWAY + 3000)
    await stage.hasViewers(0)
    const asked = stage.site.asked.length
    await pause(AS_LONG_AS_A_REVIVAL)
    expect(stage.site.asked).toHaveLength(asked)
    expect((await view.record()).unauthorized).toBe(1)
  })

  scene('whose token is renewed in time sees nothing of its end', async ({ stage, expect }) => {
    stage.bot()
    const { token } = stage.site
    stage.site.token = stage.server.token('--guild', GUILD, '--ttl', `${TTL / 1000}s`)
    const view = await stage.visit({ panel: GUILD }, { browser })
    const live = await view.sees(LIVE)
    stage.site.token = token
    await signIn(view)
    await pause(TTL + LEEWAY)
    await view.sees(LIVE)
    const { seen, unauthorized } = await view.record()
    expect(new Set(seen.filter(({ at }) => at >= live).map(({ word }) => word))).toEqual(new Set(['Online']))
    expect(unauthorized).toBe(0)
    expect(stage.site.all('stream')).toHaveLength(2)
    expect(await stage.metric('guildpulse_viewers')).toBe(1)
  })
})
