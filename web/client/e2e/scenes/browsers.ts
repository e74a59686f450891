/** Real browsers that nobody has used, and that end with the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch, type Browser, type Page } from 'puppeteer-core'
import { afterAll } from 'vitest'
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

const shared = new Map<BrowserName, Promise<Browser>>()
const actions: (() => void | Promise<void>)[] = []
afterAll(async () => {
  for (const action of actions.reverse()) await action()
})

/**
 * A window with cookies of its own, in a browser that all scenes of a file share: to start one takes seconds. A page
 * in a tab would be hidden by the next one.
 */
export async function openWindow(cleanUp: CleanUp, name: BrowserName): Promise<Page> {
  const browser = shared.get(name) ?? launchBrowser((action) => void actions.push(action), name)
  shared.set(name, browser)
  const context = await (await browser).createBrowserContext()
  cleanUp(() => context.close())
  return context.newPage({ type: 'window' })
}
