// A real browser, and what is to be true of every page in it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import axe from 'axe-core'
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

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
  readonly #context: BrowserContext
  readonly #profile: string

  private constructor(page: Page, context: BrowserContext, profile: string) {
    this.page = page
    this.#context = context
    this.#profile = profile
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
    const launch = { executablePath, args: FLAGS, viewport, ...options }
    const context = await chromium.launchPersistentContext(profile, launch)
    return new Visit(context.pages()[0] ?? (await context.newPage()), context, profile)
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close()
    rmSync(this.#profile, { recursive: true, force: true })
    expect(this.complaints).toEqual([])
  }
}
