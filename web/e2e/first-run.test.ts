import { expect, onTestFinished, test } from 'vitest'

import { Visit } from './browser.ts'
import { Child } from './child.ts'
import { BINARY, Server, SOON } from './server.ts'

/** A command in a shell. */
function shell(line: string): Child {
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdio: 'ignore' } as const
  return new Child(onTestFinished, 'sh', ['-c', `exec ${line}`], options)
}

async function signIn(visit: Visit, server: Server, token: string): Promise<void> {
  await visit.page.goto(server.url)
  await visit.page.getByLabel('Or show a token').fill(token)
  await visit.page.getByRole('button', { name: 'Sign in' }).click()
}

/** The browser tells of every 401 itself. */
function expectRefusals(visit: Visit): void {
  expect(visit.complaints.splice(0).filter((text) => !text.includes('401'))).toEqual([])
}

test('whoever starts without a bot gets the line to run, and the mark turns green on the first beat', async () => {
  const server = await Server.start(onTestFinished)
  const visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--operator'))
  await visit.word('Not connected yet')
  expectRefusals(visit)
  expect(await visit.shape()).toBe('#unknown')
  await page.getByRole('heading', { name: 'Listening…' }).waitFor()
  expect(await visit.barriers()).toEqual([])
  expect(await page.getByRole('button', { name: 'Crash shard 3' }).isVisible(), 'this bot is real').toBe(false)
  const line = (await page.locator('#command').textContent()) ?? ''
  const bot = shell(line)
  await visit.word('Online')
  expect(await visit.shape()).toBe('#online')
  expect(await page.locator('#listening').isVisible()).toBe(false)
  expect(await page.locator('#facts').textContent()).toContain('1.0.0')
  await bot.end('SIGKILL')
  await visit.word('Offline · stopped responding')
})

test('a server that is killed and comes back keeps its page, which says so and goes on by itself', async () => {
  const server = await Server.start(onTestFinished)
  const visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--operator'))
  await page.getByRole('heading', { name: 'Listening…' }).waitFor()
  shell((await page.locator('#command').textContent()) ?? '')
  await visit.word('Online')
  await server.end('SIGKILL')
  await page.getByText('Connection lost, trying again…').waitFor()
  expect(await page.locator('#word').textContent(), 'the last word stays').toBe('Online')
  await server.begin(new URL(server.url).host)
  await page.getByText('Live', { exact: true }).waitFor()
  await visit.word('Online')
  // The browser tells of every lost connection, and the next one is lost when the server ends.
  await page.close()
  visit.complaints.splice(0)
})

test('a link that was used says so, and a token signs in all the same', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  const link = await server.link()
  const first = await Visit.begin()
  await first.page.goto(link)
  await first.word('Online')
  const second = await Visit.begin()
  await second.page.goto(link)
  await second.page.getByText('This link has been used, or is too old.').waitFor()
  expect(await second.barriers()).toEqual([])
  const token = (await server.said(/GUILDPULSE_TOKEN=(\S+)/))[1] ?? ''
  await second.page.getByLabel('Or show a token').fill('nonsense')
  await second.page.getByRole('button', { name: 'Sign in' }).click()
  await second.page.getByText('The server does not take this token.').waitFor()
  await second.page.getByLabel('Or show a token').fill(token)
  await second.page.getByRole('button', { name: 'Sign in' }).click()
  await second.word('Online')
  expectRefusals(second)
})

test('a viewer sees the server that its token lists, and no other', async () => {
  const server = await Server.start(onTestFinished)
  // On shard 2 of 16.
  const guild = '81384788765712384'
  const beat = `${BINARY} beat --url ${server.url} --token-file ${server.folder}/guildpulse-data/bot-token --shard 2/16`
  shell(beat)
  const visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--guild', guild))
  await page.getByText('Your token lists certain servers.').waitFor()
  await page.getByLabel('Server ID').fill(guild)
  await page.getByRole('button', { name: 'Watch' }).click()
  await visit.word('Online')
  await page.getByText('2 of 16').waitFor()
  await page.waitForFunction(() => document.getElementById('shards')?.hidden)
  await visit.word('Online')
  expect(visit.complaints.splice(0).filter((text) => !/40[13]/.test(text))).toEqual([])
})

test('who opens the next link where the page is open is signed in again, and stays so with an old link', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  const visit = await Visit.begin()
  const { page } = visit
  const first = await server.link()
  await page.goto(first)
  await visit.word('Online')
  await page.context().clearCookies()
  await page.reload()
  await page.getByRole('heading', { name: 'Signed out' }).waitFor()
  // Only the fragment changes, so nothing is loaded.
  const next = await server.link()
  expect(next).not.toBe(first)
  await page.goto(next)
  await visit.word('Online')
  await page.goto(first)
  await page.waitForFunction(() => !location.hash)
  await visit.word('Online')
  expectRefusals(visit)
})

test('a link with a token of somebody else signs nobody in', async () => {
  const server = await Server.start(onTestFinished)
  const visit = await Visit.begin()
  const { page } = visit
  await page.goto(`${server.url}/#code=${server.token('--guild', '1')}`)
  await page.getByText('This link has been used, or is too old.').waitFor()
  expect(await page.context().cookies()).toEqual([])
  expectRefusals(visit)
})

test('a version as long as it may be does not widen the page, whatever is in it', async () => {
  const server = await Server.start(onTestFinished)
  const visit = await Visit.begin({ viewport: { width: 400, height: 800 } })
  const { page } = visit
  const version = `<img/src=x/onerror=alert(1)>${'v'.repeat(100)}`
  const token = `${server.folder}/guildpulse-data/bot-token`
  shell(`${BINARY} beat --url ${server.url} --token-file ${token} --version '${version}'`)
  await signIn(visit, server, server.token('--operator'))
  await visit.word('Online')
  await page.getByText(version).waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400)
  expectRefusals(visit)
})

test('a session that is over says so, and whoever signs in once more goes on', async () => {
  const server = await Server.start(onTestFinished)
  const visit = await Visit.begin()
  const { page } = visit
  // A second, and what the clocks may be apart.
  await signIn(visit, server, server.token('--operator', '--ttl', '1s'))
  await visit.word('Not connected yet')
  await page.getByText('Your time is over').waitFor({ timeout: 3 * SOON })
  // Times are told anew every second, but not of what one may not see any more.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1500)))
  expect(await page.locator('#guild').isVisible()).toBe(false)
  await page.getByLabel('Or show a token').fill(server.token('--operator'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await visit.word('Not connected yet')
  await page.getByRole('heading', { name: 'Listening…' }).waitFor()
  expect(await page.getByRole('heading', { name: 'Signed out' }).isVisible()).toBe(false)
  expectRefusals(visit)
})
