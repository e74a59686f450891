import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

import { expect, test } from 'vitest'

import { Visit } from './browser.ts'
import { BINARY, Server } from './server.ts'

/** A command in a shell, until the end of the block. */
class Shell implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(line: string) {
    this.#process = spawn('sh', ['-c', `exec ${line}`], { cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdio: 'ignore' })
    this.#ended = once(this.#process, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
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
  await using server = await Server.start()
  await using visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--operator'))
  await visit.word('Not connected yet')
  expectRefusals(visit)
  expect(await visit.shape()).toBe('#unknown')
  await page.getByRole('heading', { name: 'Listening…' }).waitFor()
  expect(await visit.barriers()).toEqual([])
  expect(await page.getByRole('button', { name: 'Crash shard 3' }).isVisible(), 'this bot is real').toBe(false)
  const line = (await page.locator('#command').textContent()) ?? ''
  {
    await using _bot = new Shell(line)
    await visit.word('Online')
    expect(await visit.shape()).toBe('#online')
    expect(await page.locator('#listening').isVisible()).toBe(false)
    expect(await page.locator('#facts').textContent()).toContain('1.0.0')
  }
  await visit.word('Offline · stopped responding')
})

test('a server that is killed and comes back keeps its page, which says so and goes on by itself', async () => {
  await using server = await Server.start()
  await using visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--operator'))
  await page.getByRole('heading', { name: 'Listening…' }).waitFor()
  await using _bot = new Shell((await page.locator('#command').textContent()) ?? '')
  await visit.word('Online')
  await server.end('SIGKILL')
  await page.getByText('Connection lost, trying again…').waitFor()
  expect(await page.locator('#word').textContent(), 'the last word stays').toBe('Online')
  await server.begin(new URL(server.url).host)
  await page.getByText('Live', { exact: true }).waitFor()
  await visit.word('Online')
  visit.complaints.splice(0)
})

test('a link that was used says so, and a token signs in all the same', async () => {
  await using server = await Server.start('--demo')
  const link = await server.link()
  await using first = await Visit.begin()
  await first.page.goto(link)
  await first.word('Online')
  await using second = await Visit.begin()
  await second.page.goto(link)
  await second.page.getByText('This link has been used already.').waitFor()
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
  await using server = await Server.start()
  // On shard 2 of 16.
  const guild = '81384788765712384'
  const beat = `${BINARY} beat --url ${server.url} --token-file ${server.folder}/guildpulse-data/bot-token --shard 2/16`
  await using _bot = new Shell(beat)
  await using visit = await Visit.begin()
  const { page } = visit
  await signIn(visit, server, server.token('--guild', guild))
  await page.getByText('Your token does not list the server').waitFor()
  await page.goto(`${server.url}/?guild=${guild}`)
  await visit.word('Online')
  await page.getByText('2 of 16').waitFor()
  await page.waitForFunction(() => document.getElementById('shards')?.hidden)
  await visit.word('Online')
  expect(visit.complaints.splice(0).filter((text) => !/40[13]/.test(text))).toEqual([])
})
