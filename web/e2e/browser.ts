// A real browser, and what is to be true of every page in it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import axe from 'axe-core'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

import { SOON } from './server.ts'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export class Visit {
  /** What went wrong on the page, as the browser tells it. */
  readonly complaints: string[] = []
  readonly page: Page

  private constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(SOON)
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('request', (request) => {
      if (new URL(request.url()).hostname !== '127.0.0.1') this.complaints.push(`asks ${request.url()}`)
    })
  }

  /** A browser that nobody has used, with one page. */
  static async begin(options: BrowserContextOptions = {}): Promise<Visit> {
    const profile = mkdtempSync(join(tmpdir(), 'guildpulse-profile-'))
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
    const viewport = { width: 820, height: 820 }
    // Its home is the profile, so that it leaves nothing in that of whoever runs the tests.
    const env = { PATH: process.env.PATH ?? '', HOME: profile }
    const launch = { executablePath, args: FLAGS, viewport, env, ...options }
    const context = await chromium.launchPersistentContext(profile, launch)
    const visit = new Visit(context.pages()[0] ?? (await context.newPage()))
    onTestFinished(async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
      expect(visit.complaints).toEqual([])
    })
    return visit
  }

  /** The word beside the large mark becomes this, without anybody touching the page. */
  async word(text: string): Promise<void> {
    await this.page.getByText(text, { exact: true }).and(this.page.locator('#word')).waitFor()
  }

  /** The shape of the large mark. */
  async shape(): Promise<string | null> {
    return this.page.locator('#mark use').getAttribute('href')
  }

  /** What axe finds wrong with what is shown now. */
  async barriers(): Promise<string[]> {
    await this.page.evaluate(axe.source)
    const results = await this.page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run())
    return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }
}
