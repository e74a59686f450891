import { describe } from 'vitest'
import { GUILD, scene } from './stage.ts'

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  scene('who looks at a bot that crashes sees it within 5 s, and then that it is back', async ({ stage, expect }) => {
    const bot = stage.bot('--version', '1.4.2')
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees({ state: 'online', word: 'Online', connectionState: 'connected' })
    const crashed = Date.now()
    await bot.end('SIGKILL')
    const seen = await view.sees({ state: 'offline', word: 'Offline · stopped responding' })
    expect(seen - crashed).toBeLessThan(5000)
    stage.bot('--version', '1.4.3')
    await view.sees({ state: 'online' })
  })
})
