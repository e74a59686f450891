/** What is said on a stream: what reaches the page, what does not, and what is made of it. */
import { describe, vi } from 'vitest'
import { STATUS } from '../../fixtures/servers/base.ts'
import { Speaker } from '../../fixtures/servers/speaker.ts'
import { always } from './site.ts'
import { GUILD, OTHER_GUILD, scene, SOON, type View } from './stage.ts'

const sse = `/api/guilds/${GUILD}/status/stream`
const LATER = { ...STATUS, revision: '1795378677.9000', version: '9.9.9' }
/** Not one of them is a status of this guild. */
const BAD = [
  'not JSON',
  'null',
  '[]',
  '"online"',
  { ...LATER, healthy: 'yes' },
  { ...LATER, state: 'sleeping' },
  { ...LATER, guildId: OTHER_GUILD },
  { ...LATER, guildId: 81384788765712 },
  { ...LATER, lastHeartbeat: 'soon' },
  { ...LATER, since: undefined },
  { ...LATER, version: 9 },
  { ...LATER, revision: 9000 },
]

const cached = (view: View) => view.page.evaluate((id) => window.client.getQueryData(['guild', id, 'status']), GUILD)

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  scene('bad data is reported and changes nothing, neither what is known nor the connection', async ({ stage, expect }) => {
    const speaker = new Speaker()
    stage.site.instead = speaker
    const view = await stage.visit({ panel: GUILD }, { browser })
    await view.sees({ state: 'online', connectionState: 'connected' })
    for (const bad of BAD) speaker.say(bad)
    await vi.waitFor(async () => expect((await view.record()).parseErrors).toHaveLength(BAD.length), SOON)
    expect(await cached(view)).toEqual(STATUS)
    const { parseErrors, seen, uncaught } = await view.record()
    expect(parseErrors[0]).toBe('status: expected JSON')
    expect(parseErrors[6]).toBe(`guildId: expected ${GUILD}`)
    expect(uncaught).toEqual([])

    speaker.say({ ...LATER, state: 'offline', healthy: false, reason: 'goodbye' })
    await view.sees({ state: 'offline', word: 'Offline · shut down by its operator', connectionState: 'connected' })
    expect(await cached(view)).toMatchObject({ version: '9.9.9' })
    const states = (await view.record()).seen.slice(seen.length - 1).map(({ connectionState }) => connectionState)
    expect(new Set(states)).toEqual(new Set(['connected']))
    expect(stage.site.all('stream')).toHaveLength(1)
  })

  scene('what a listener throws is heard of, and it is told what comes after', async ({ stage, expect }) => {
    const speaker = new Speaker((response) => void response.write('retry: 1000\n\n'))
    stage.site.instead = speaker
    const view = await stage.visit({ sse, throwOn: 'a fault of the page' }, { browser })
    await view.sees({ connectionState: 'connected' })
    const messages = [{ first: 1 }, { throw: 'a fault of the page' }, { last: 1 }]
    for (const message of messages) speaker.say(message)
    speaker.say('no JSON')
    await vi.waitFor(async () => expect((await view.record()).parseErrors).toEqual(['message: expected JSON']), SOON)
    const record = await view.record()
    expect(record.messages).toEqual(messages)
    expect(record.uncaught).toEqual([expect.stringContaining('a fault of the page')])
    expect(record.errors).toBe(0)
    expect(stage.site.all('stream')).toHaveLength(1)
    expect(stage.site.open).toHaveLength(1)
  })
})

scene('who reads the state alone renders for no beat', async ({ stage, expect }) => {
  stage.bot()
  const view = await stage.visit({ state: GUILD })
  const beat = async () => ((await cached(view)) as typeof STATUS | undefined)?.lastHeartbeat
  /** The server says what it knows every 15 s. */
  const nextBeat = async (last: string) => {
    await vi.waitFor(async () => expect(await beat()).not.toBe(last), { timeout: 15_000 + SOON, interval: 250 })
    return (await beat())!
  }
  await view.sees({ connectionState: 'connected' })
  await vi.waitFor(async () => expect(await beat()).toBeDefined(), SOON)
  // What belongs to the beginning is over with the first of them.
  const first = await nextBeat((await beat())!)
  const { renders } = await view.record()
  await nextBeat(first)
  expect(await view.record()).toMatchObject({ renders, parseErrors: [] })
  expect(await view.page.$eval('#state', ({ textContent }) => textContent)).toBe('online')
  expect(stage.site.all('stream')).toHaveLength(1)
})

scene('the retry keeps the focus of who presses it, and a screen reader is told of a change once', async ({ stage, expect }) => {
  const bot = stage.bot()
  stage.site.instead.stream = always(404)
  const view = await stage.visit({ panel: GUILD })
  const action = 'Updates every minute · Retry live'
  await view.sees({ action }, 20_000)
  const press = () => view.page.focus('[data-part=retry]').then(() => view.page.keyboard.press('Enter'))
  await view.page.evaluate(() => {
    const button = document.querySelector('[data-part=retry]')!
    button.addEventListener('blur', () => window.record.page.push('the retry has lost the focus'))
  })
  await press()
  await view.sees({ action: 'Updates every minute · Connecting...' })
  expect(await view.page.$eval('[data-part=retry]', (retry) => retry.ariaBusy)).toBe('true')
  // Refused as often as before.
  await view.sees({ action }, 20_000)
  expect(await view.page.evaluate(() => document.activeElement?.getAttribute('data-part'))).toBe('retry')
  expect(await view.record()).toMatchObject({ page: ['pageshow false'], spoken: [] })

  stage.site.instead = {}
  await press()
  await view.sees({ state: 'online', action: '', connectionState: 'connected' })
  await bot.end('SIGKILL')
  await view.sees({ state: 'offline' })
  const spoken = async () => (await view.record()).spoken
  await vi.waitFor(async () => expect(await spoken()).toEqual(['Offline · stopped responding']), SOON)
  stage.bot()
  await view.sees({ state: 'online' })
  await vi.waitFor(async () => expect(await spoken()).toEqual(['Offline · stopped responding', 'Online']), SOON)
})
