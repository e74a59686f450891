import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { App, complaints } from './app.js'
import { StatusServer } from './server.js'

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
let app: App
let said: string
/** Serves what was built, beside the routes of guildpulse. */
const server = new StatusServer((request, response) => {
  const file = join(app.folder, 'dist', request.url === '/' ? 'index.html' : request.url!)
  if (!existsSync(file)) return void response.writeHead(404).end()
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(readFileSync(file))
})

beforeAll(async () => {
  app = await App.install(join(import.meta.dirname, '../fixtures/vite'))
  said = await app.run('npm', 'run', 'build')
})
afterAll(async () => {
  await app?.remove()
  server.close()
})

test('it compiles with all declarations checked, and builds without a warning', () => {
  expect(said).toContain('built in')
  expect(said).not.toMatch(/warn|use client/i)
})

test('both hooks and the component are live in a browser, which has nothing to complain of', async () => {
  const context = await app.browse()
  const heard = complaints(context)
  const page = await context.newPage()
  await page.goto(await server.listen())
  await page.locator('#messages', { hasText: 'connected 1.4.2' }).waitFor({ timeout: 10_000 })
  await page.locator('#status', { hasText: 'connected online' }).waitFor({ timeout: 10_000 })
  const shown = page.locator('[data-guildpulse][data-state=online]', { hasText: 'Online' })
  await shown.waitFor({ timeout: 10_000 })
  // Its stylesheet came with it.
  expect(await shown.evaluate((it) => getComputedStyle(it).display)).toBe('flex')
  // One stream for the hook for any server, and one for all who know guildpulse.
  expect(server.open).toBe(2)
  expect(heard).toEqual([])
})
