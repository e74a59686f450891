/** A bot, the real server, a site before it, a cable to the site, and a browser: whatever a scene needs, on loopback. */
import type { Browser, Page } from 'puppeteer-core'
import { expect, inject, test, vi } from 'vitest'
import { Child, type CleanUp } from '../../../e2e/child.ts'
import { BINARY, Server } from '../../../e2e/server.ts'
import type { Record, Seen } from './app/record.ts'
import type { Shown } from './app/main.tsx'
import { launchBrowser, openWindow, type BrowserName } from './browsers.ts'
import { Network } from './network.ts'
import { Site } from './site.ts'

/** On shard 2 of 16, and the only one of a bot with one shard. */
export const GUILD = '81384788765712384'
/** On the same shard of 16. */
export const OTHER_GUILD = '81384788832821248'
/** Long enough for anything that is to happen at once, however busy the machine. */
export const SOON = 10_000

/** Which browser a page is in, and whether others are there, too. */
export interface Where {
  browser?: BrowserName
  isAlone?: boolean
}

/** A test that gets a stage, and may run beside others. */
export const scene = test.extend<{ stage: Stage }>({
  stage: async ({}, use) => {
    const actions: (() => void | Promise<void>)[] = []
    try {
      await use(await Stage.set((action) => void actions.push(action)))
    } finally {
      for (const action of actions.reverse()) await action()
    }
  },
})

export class Stage {
  readonly server: Server
  readonly site: Site
  readonly network: Network
  readonly cleanUp: CleanUp
  readonly #browsers = new Map<BrowserName, Promise<Browser>>()

  private constructor(cleanUp: CleanUp, server: Server, site: Site, network: Network) {
    this.cleanUp = cleanUp
    this.server = server
    this.site = site
    this.network = network
  }

  static async set(cleanUp: CleanUp): Promise<Stage> {
    const server = await Server.start(cleanUp)
    const site = await Site.open(cleanUp, inject('files'), () => server.url)
    site.token = server.token('--guild', GUILD, '--guild', OTHER_GUILD)
    const network = await Network.lay(cleanUp, site.port)
    return new Stage(cleanUp, server, site, network)
  }

  /** Starts a bot, whose shards beat until it is ended. */
  bot(...args: string[]): Child {
    const token = `${this.server.folder}/guildpulse-data/bot-token`
    const command = ['beat', '--url', this.server.url, '--token-file', token, '--shard', '2/16', ...args]
    return new Child(this.cleanUp, BINARY, command, { env: {}, stdio: 'ignore' })
  }

  /** A browser for this scene alone, for what happens to all pages of one. */
  browser(name: BrowserName = 'chromium'): Promise<Browser> {
    const known = this.#browsers.get(name)
    if (known) return known
    const launched = launchBrowser(this.cleanUp, name)
    this.#browsers.set(name, launched)
    return launched
  }

  /** An empty page in a window of its own. */
  async page({ browser = 'chromium', isAlone = false }: Where = {}): Promise<Page> {
    return isAlone ? (await this.browser(browser)).newPage() : openWindow(this.cleanUp, browser)
  }

  /** Opens a page of the site that shows this. */
  async visit(shown: Shown, { isStrict, ...where }: Where & { isStrict?: boolean } = {}): Promise<View> {
    const page = await this.page(where)
    await page.goto(`${this.network.url}/?show=${encodeURIComponent(JSON.stringify(shown))}${isStrict ? '&strict' : ''}`)
    return new View(page)
  }

  /** How many streams the server has open, once they are so many. */
  async hasViewers(wanted: number): Promise<void> {
    await vi.waitFor(async () => expect(await this.metric('guildpulse_viewers')).toBe(wanted), SOON)
  }

  /** What the server counts, by the name of its metric. */
  async metric(name: string): Promise<number> {
    const headers = { authorization: `Bearer ${this.server.token('--operator')}` }
    const text = await (await fetch(new URL('/metrics', this.server.url), { headers })).text()
    const line = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)
    if (!line) throw new Error(`there is no metric ${name}`)
    return Number(line[1])
  }
}

/** A page as its viewer sees it. */
export class View {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async record(): Promise<Record> {
    return this.page.evaluate(() => window.record)
  }

  /** What is to be seen now. */
  async now(): Promise<Seen> {
    return this.page.evaluate(() => window.record.seen.at(-1)!)
  }

  /** Every look of the page from that time on, that at that time included. */
  async since(at: number): Promise<Seen[]> {
    const { seen } = await this.record()
    const before = seen.findLastIndex((each) => each.at <= at)
    return seen.slice(Math.max(0, before))
  }

  /** Waits until the page looks like this; returns when that was, or since when it is so. */
  async sees(wanted: Partial<Seen>, deadline = SOON): Promise<number> {
    const end = Date.now() + deadline
    for (;;) {
      const now = await this.now()
      const isSo = now && Object.entries(wanted).every(([key, value]) => now[key as keyof Seen] === value)
      if (isSo) return now.at
      if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${JSON.stringify(wanted)}, but ${JSON.stringify(now)}`)
      // Many scenes ask, and what was missed is in the record.
      await pause(100)
    }
  }

  /** Clicks on what is offered, once it is. */
  async retry(action: 'Click to retry' | 'Updates every minute · Retry live'): Promise<void> {
    await this.sees({ action })
    await this.page.click('[data-part=retry]')
  }

  async show(shown: Shown): Promise<void> {
    await this.page.evaluate((shown) => window.show(shown), shown)
  }
}

/** For what has to take a time, as an outage. Nothing may be waited for with it. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
