import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { App, complaints } from './app.js'
import { StatusServer } from './server.js'

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
const SOON = { timeout: 10_000 }
/** On the other side of the world of the server that renders, and in another language. */
const ELSEWHERE = { timezoneId: 'Pacific/Auckland', locale: 'de-DE' }
let app: App
/** What was rendered on a server. */
let html = ''
/** Serves what was built, beside the routes of guildpulse. */
const server = new StatusServer((request, response) => {
  const file = join(app.folder, 'dist', request.url === '/' ? 'index.html' : request.url!)
  if (!existsSync(file)) return void response.writeHead(404).end()
  const body = readFileSync(file, 'utf8').replace('<!-- rendered -->', html)
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(body)
})
let url: string

beforeAll(async () => {
  app = await App.install(join(import.meta.dirname, '../fixtures/vite'))
  url = await server.listen()
})
afterAll(async () => {
  await app?.remove()
  server.close()
})

/** Builds the app and renders its page, and returns what was said meanwhile. */
async function build(mode: string): Promise<string> {
  const said = await app.runWith({ NODE_ENV: mode }, 'npm', 'run', 'build')
  html = await app.runWith({ NODE_ENV: mode, TZ: 'America/New_York' }, 'node', 'dist-server/server.js')
  return said
}

/** A page that has come to live, and what the browser had to complain of. */
async function visit(): Promise<{ page: Page; heard: string[] }> {
  const context = await app.browse(ELSEWHERE)
  const heard = complaints(context)
  const page = await context.newPage()
  await page.goto(url)
  await page.locator('#messages', { hasText: 'connected 1.4.2' }).waitFor(SOON)
  await page.locator('#status', { hasText: 'connected online' }).waitFor(SOON)
  await page.locator('#followed [data-state=online]').waitFor(SOON)
  await page.locator('#given', { hasText: /Last seen: .* ago - v1\.4\.2/ }).waitFor(SOON)
  return { page, heard }
}

test('it compiles with all declarations checked, and builds without a warning', async () => {
  const said = await build('production')
  expect(said.match(/built in/g)).toHaveLength(2)
  expect(said).not.toMatch(/warn|use client/i)
})

// With its development build React says all that is different; with the one for production only what it cannot mend.
test.each(['production', 'development'])('built for %s, the page of a server hydrates and is live, without a word', async (mode) => {
  await build(mode)
  for (const rendered of ['connecting undefined', 'Connecting...', 'Check Discord']) expect(html).toContain(rendered)
  const { page, heard } = await visit()
  // The stylesheet of the package is there.
  expect(await page.locator('#followed [data-guildpulse]').evaluate((it) => getComputedStyle(it).display)).toBe('flex')
  // One stream for the hook for any server, and one for all who know guildpulse.
  expect(server.open).toBe(2)
  expect(heard).toEqual([])
  await page.close()
  await vi.waitFor(() => expect(server.open).toBe(0), SOON)
})

test('with Tailwind it has its looks, and a utility wins over them', async () => {
  const page = await (await app.browse({ colorScheme: 'dark' })).newPage()
  await page.goto(`${url}/tailwind.html`)
  const root = page.locator('[data-guildpulse]')
  await root.waitFor(SOON)
  expect(await root.locator('[data-part=dot]').boundingBox()).toMatchObject({ width: 12, height: 12 })
  const style = (property: 'padding' | 'color', part = root) => part.evaluate((it, of) => getComputedStyle(it)[of], property)
  expect(await style('padding')).toBe('28px')
  // The theme's red-400, which is the one for the dark.
  expect(await style('color', root.locator('[data-part=word]'))).toBe('oklch(0.704 0.191 22.216)')
})
