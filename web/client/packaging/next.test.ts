import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { App, complaints } from './app.js'
import { GUILD, StatusServer } from './server.js'

/** The example is what is tested, so that it works for those who copy from it. */
const EXAMPLE = join(import.meta.dirname, '../../../examples/nextjs')
const SOON = { timeout: 10_000 }
/** Far from where the server renders, and in another language. */
const ELSEWHERE = { timezoneId: 'Pacific/Auckland', locale: 'de-DE' }
const server = new StatusServer()
let app: App
let upstream: string
let url: string
let context: BrowserContext
let heard: string[]

beforeAll(async () => {
  app = await App.install(EXAMPLE)
  upstream = await server.listen()
  await app.run('npm', 'run', 'build')
  url = await start('start')
  context = await app.browse(ELSEWHERE)
  heard = complaints(context)
})
afterAll(async () => {
  await app?.remove()
  server.close()
})

function start(command: 'start' | 'dev'): Promise<string> {
  return app.start('next', [command], { GUILDPULSE_URL: upstream })
}

test('the server renders the page with the status in it', async () => {
  const answer = await fetch(`${url}/guilds/${GUILD}`, { headers: { cookie: 'auth_token=the-token' } })
  expect(answer.status).toBe(200)
  const html = (await answer.text()).replaceAll('<!-- -->', '')
  expect(html).toContain('online, version 1.4.2')
  expect(html).toContain('stream connecting')
  expect(server.requests.at(-1)!.headers.authorization).toBe('Bearer the-token')
})

test('without a token it renders that it is connecting', async () => {
  const asked = server.requests.length
  const html = await (await fetch(`${url}/guilds/${GUILD}`)).text()
  expect(html).toMatch(/data-state="connecting".*Connecting\.\.\..*Nothing is known yet/)
  expect(server.requests).toHaveLength(asked)
})

test('signed in, the page hydrates without a word, is live, and its stream ends at the server when it is left', async () => {
  const page = await context.newPage()
  await page.goto(url)
  await page.getByLabel('Token').fill('the-token')
  await page.getByRole('button', { name: 'Look' }).click()
  await page.waitForURL(`${url}/guilds/${GUILD}`, SOON)
  await page.getByText('Online', { exact: true }).waitFor(SOON)
  await page.getByText('stream connected').waitFor(SOON)
  expect(server.open).toBe(1)
  expect(server.requests.at(-1)!.headers.authorization).toBe('Bearer the-token')
  expect(server.requests.at(-1)!.headers.cookie).toBeUndefined()
  server.send({ state: 'offline', healthy: false, reason: 'goodbye' })
  await page.getByText('offline, version').waitFor(SOON)
  await page.getByText('Offline · shut down by its operator').waitFor(SOON)
  // The stylesheet of the package is there.
  expect(await page.locator('[data-part=dot]').boundingBox()).toMatchObject({ width: 12, height: 12 })

  // Loaded anew, it comes from the server and is hydrated.
  await page.reload()
  await page.getByText('stream connected').waitFor(SOON)
  await page.getByText('Online', { exact: true }).waitFor(SOON)
  await vi.waitFor(() => expect(server.open).toBe(1), SOON)
  await page.goto('about:blank')
  await vi.waitFor(() => expect(server.open).toBe(0), SOON)
  expect(heard).toEqual([])
})

test('no part of the address of the server reaches the browser', async () => {
  const found = await app.run('grep', '-rlE', 'GUILDPULSE_URL|/api/v1/', '.next/static').catch((error: Error) => error.message)
  expect(found).not.toContain('.next/static/')
})

test('with the development build of React, which says all that is different, it hydrates without a word as well', async () => {
  const developed = await start('dev')
  const context = await app.browse(ELSEWHERE)
  const heard = complaints(context)
  await context.addCookies([{ name: 'auth_token', value: 'the-token', url: developed }])
  const page = await context.newPage()
  await page.goto(`${developed}/guilds/${GUILD}`)
  await page.getByText('Online', { exact: true }).waitFor({ timeout: 30_000 })
  expect(heard).toEqual([])
})
