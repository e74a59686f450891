/** Real browsers that nobody has used, and that end with the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch, type Browser } from 'puppeteer-core'
import type { CleanUp } from '../../../e2e/child.ts'

export type BrowserName = 'chromium' | 'firefox'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Puppeteer drives both, and with it a page is hidden and kept for the way back as it is for people. */
export async function launchBrowser(cleanUp: CleanUp, name: BrowserName): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'guildpulse-profile-'))
  // Its home is the profile, so that it leaves nothing in that of whoever runs the tests.
  const env = { PATH: process.env.PATH ?? '', HOME: profile }
  const chromium = {
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    userDataDir: profile,
  } as const
  const firefox = { browser: 'firefox', executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr' } as const
  const browser = await launch({ headless: true, env, ...(name === 'firefox' ? firefox : chromium) })
  cleanUp(async () => {
    await browser.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 })
  })
  return browser
}
