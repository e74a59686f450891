/** Servers that are none of guildpulse. `useSSE` takes them as they are, and so does a guild's status where it can. */
import { describe, vi } from 'vitest'
import { STATUS } from '../../fixtures/servers/base.ts'
import * as buffered from '../../fixtures/servers/buffered.ts'
import * as comments from '../../fixtures/servers/comments.ts'
import * as endsAfterEach from '../../fixtures/servers/endsAfterEach.ts'
import * as foreignNames from '../../fixtures/servers/foreignNames.ts'
import * as noHello from '../../fixtures/servers/noHello.ts'
import * as onChange from '../../fixtures/servers/onChange.ts'
import * as page from '../../fixtures/servers/page.ts'
import * as snakeCase from '../../fixtures/servers/snakeCase.ts'
import { Speaker } from '../../fixtures/servers/speaker.ts'
import { always } from './site.ts'
import { GUILD, pause, scene, SOON, type View } from './stage.ts'

const HASTY = { sse: `/api/guilds/${GUILD}/status/stream`, initialRetryDelay: 50, maxRetries: 3 } as const
const LASTING = Object.entries({ noHello, onChange, comments, foreignNames })

const connectionStates = async (view: View) => (await view.record()).seen.map(({ connectionState }) => connectionState)

describe('any stream', () => {
  scene.for(LASTING)('of a server as in %s.ts is open and stays so', async ([, server], { stage, expect }) => {
    stage.site.instead = server
    const view = await stage.visit(HASTY)
    await view.sees({ connectionState: 'connected' })
    await vi.waitFor(async () => expect((await view.record()).messages).toContainEqual(STATUS), SOON)
    await pause(5000)
    const { messages, errors, parseErrors, seen } = await view.record()
    expect(seen.at(-1)).toMatchObject({ connectionState: 'connected' })
    expect(new Set(messages.map((message) => JSON.stringify(message)))).toEqual(new Set([JSON.stringify(STATUS)]))
    expect({ errors, parseErrors }).toEqual({ errors: 0, parseErrors: [] })
    expect(stage.site.asked).toHaveLength(1)
    expect(await connectionStates(view)).not.toContain('disconnected')
  })

  scene('that ends after each event is opened again for ever: each of them brings the retries back', async ({ stage, expect }) => {
    stage.site.instead = endsAfterEach
    const view = await stage.visit(HASTY)
    await vi.waitFor(async () => expect((await view.record()).messages.length).toBeGreaterThan(12), SOON)
    expect((await view.record()).errors).toBe(0)
    expect(await connectionStates(view)).not.toContain('error')
    expect(stage.site.all('stream').every(({ beside }) => beside === 0)).toBe(true)
  })

  scene.for([
    ['that is a page', page.stream],
    ['that opens and ends, for ever', (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end()],
    ['that is answered with 500', always(500)],
  ] as const satisfies [string, typeof page.stream][])('%s has failed after four attempts, which is said once', async ([, stream], { stage, expect }) => {
    stage.site.instead.stream = stream
    const view = await stage.visit(HASTY)
    await view.sees({ connectionState: 'error' })
    await pause(3000)
    expect(stage.site.asked).toHaveLength(4)
    expect(await view.record()).toMatchObject({ errors: 1, messages: [], parseErrors: [] })

    await view.page.click('#reconnect')
    await vi.waitFor(async () => expect((await view.record()).errors).toBe(2), SOON)
    expect(stage.site.asked).toHaveLength(8)
    stage.site.instead = noHello
    await view.page.click('#reconnect')
    await view.sees({ connectionState: 'connected' })
  })

  scene('of which nothing is passed on before it ends is open only then, and is heard whole', async ({ stage, expect }) => {
    stage.site.instead = buffered
    const view = await stage.visit(HASTY)
    await vi.waitFor(async () => expect((await view.record()).messages).toHaveLength(6), SOON)
    const { messages, errors, seen } = await view.record()
    const first = seen.filter(({ at }) => at < stage.site.asked[0]!.at + buffered.TAKES_MS)
    expect(new Set(first.map(({ connectionState }) => connectionState))).toEqual(new Set(['connecting']))
    expect(messages).toMatchObject(['1', '2', '3', '1', '2', '3'].map((version) => ({ version })))
    expect(errors).toBe(0)
    expect(await connectionStates(view)).not.toContain('error')
  })
})

describe('the status of a guild', () => {
  scene.for(LASTING)('of a server as in %s.ts is live', async ([, server], { stage, expect }) => {
    stage.site.instead = server
    const view = await stage.visit({ panel: GUILD })
    await view.sees({ state: 'online', connectionState: 'connected' })
    const { seen } = await view.record()
    // Longer than guildpulse is ever silent: nothing was announced, so nothing is late.
    await pause(20_000)
    expect((await view.record()).seen).toEqual(seen)
    expect(await view.record()).toMatchObject({ parseErrors: [], unauthorized: 0 })
    expect(stage.site.asked.map(({ what }) => what).sort()).toEqual(['status', 'stream'])
  })

  scene('is read by a function of the page where the server has words of its own', async ({ stage, expect }) => {
    stage.site.instead = snakeCase
    const view = await stage.visit({ panel: GUILD, dialect: 'snake_case' })
    await view.sees({ state: 'offline', word: 'Offline', connectionState: 'connected' })
    const { seen, parseErrors } = await view.record()
    expect(seen).toContainEqual(expect.objectContaining({ state: 'online', word: 'Online', connectionState: 'connected' }))
    expect(parseErrors).toEqual([])
    expect(stage.site.all('stream')).toHaveLength(1)
    const text = await view.page.$eval('[data-part=root]', (root) => root.textContent)
    expect(text).toMatch(/^OfflineLast seen: .+ ago - v1\.4\.2/)
  })

  scene('is not guessed where nobody reads what the server says', async ({ stage, expect }) => {
    stage.site.instead = snakeCase
    const view = await stage.visit({ panel: GUILD })
    await vi.waitFor(async () => expect((await view.record()).parseErrors.length).toBeGreaterThanOrEqual(2), SOON)
    await view.sees({ state: 'connecting', word: 'Connecting...' })
    expect(await view.page.$eval('#data', (data) => data.textContent)).toBe('')
  })

  scene('goes on when a stream ends without a word, with the state that was known', async ({ stage, expect }) => {
    const speaker = new Speaker()
    stage.site.instead = speaker
    const view = await stage.visit({ panel: GUILD })
    await view.sees({ state: 'online', connectionState: 'connected' })
    stage.site.instead = { ...endsAfterEach, stream: speaker.stream }
    stage.network.cut()
    await view.sees({ state: 'online', connectionState: 'disconnected' })
    await view.sees({ state: 'online', connectionState: 'connected' })
    expect((await view.record()).seen.map(({ word }) => word)).not.toContain('Connection lost')
  })
})
