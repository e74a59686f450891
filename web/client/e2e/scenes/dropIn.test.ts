/**
 * In place of what people have written by hand only the import lines change. Their files are no part of this
 * repository; `BEFORE` is the folder in which they are, as `use-sse.ts`, `use-guilds.ts`, `bot-status.tsx` and `route.ts`.
 */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { describe, expect, vi } from 'vitest'
import { streamRoute } from '../../dist/next/index.js'
import type { Answer } from '../../fixtures/servers/base.ts'
import { App, type Changes, type Handler } from './before/app.ts'
import { GUILD, pause, scene, SOON, type Stage } from './stage.ts'

const { BEFORE } = process.env
const HOOK: Changes = { 'hooks/use-guilds.ts': [[`'./use-sse'`, `'guildpulse/react'`]] }
const ALL: Changes = { 'main.tsx': [[`'@/components/bot-status'`, `'guildpulse'`], [`'@/hooks/use-guilds'`, `'guildpulse'`]] }
const APPS = { 'as it is': {}, 'with our useSSE': HOOK, 'with all of ours': ALL } satisfies Record<string, Changes>
const OFFLINE = /^OfflineLast seen: .+ ago - v1\.4\.2Check Discord$/

async function look(stage: Stage, changes: Changes) {
  const app = new App((action) => stage.cleanUp(action), BEFORE!, changes)
  const page = await stage.page()
  stage.site.files = { ...stage.site.files, '/app.js': await app.bundle() }
  const open = () => page.goto(`${stage.network.url}/?guild=${GUILD}`)
  await open()
  const texts = () => page.evaluate(() => (window as unknown as { texts: string[] }).texts)
  /** Waits until this has been seen, since so many looks. */
  const shows = async (pattern: RegExp, since = 0, timeout = SOON) => {
    await vi.waitFor(async () => expect((await texts()).slice(since)).toContainEqual(expect.stringMatching(pattern)), { timeout, interval: 50 })
    return (await texts()).length
  }
  return { app, page, open, texts, shows }
}

describe.skipIf(!BEFORE).each(Object.entries(APPS))('an app %s', (name, changes: Changes) => {
  scene('compiles strictly', ({ stage, expect }) => {
    expect(new App((action) => stage.cleanUp(action), BEFORE!, changes).check()).toBe('')
  })

  scene('shows that the bot is online', async ({ stage, expect }) => {
    stage.bot('--version', '1.4.2')
    const { shows, texts } = await look(stage, changes)
    await shows(/^Online$/)
    expect((await texts()).find((text) => text)).toBe('Connecting...')
  })

  scene('shows whose bot has crashed when it was seen last, and as what version', async ({ stage }) => {
    const bot = stage.bot('--version', '1.4.2')
    const { shows, open } = await look(stage, changes)
    const looks = await shows(/^Online$/)
    await bot.end('SIGKILL')
    if (name === 'as it is') {
      await pause(5000)
      await open()
      await shows(OFFLINE)
    } else await shows(OFFLINE, looks)
  })

  // As it is, it begins anew at each render, so that its retries are never spent.
  scene.skipIf(name === 'as it is')('offers to retry once the connection is lost, and is back after that', async ({ stage, expect }) => {
    stage.bot('--version', '1.4.2')
    const { shows, page, texts } = await look(stage, changes)
    let looks = await shows(/^Online$/)
    stage.network.become('down')
    looks = await shows(/^Connection lostClick to retry$/, looks, 60_000)
    stage.network.become('up')
    await page.click('button')
    await shows(/^Online$/, looks)
    expect((await texts()).join()).not.toContain('undefined')
  })

  scene('asks for the stream once in 1,000 renders, unless it is as it was', async ({ stage, expect }) => {
    stage.bot('--version', '1.4.2')
    const { shows, page } = await look(stage, changes)
    await shows(/^Online$/)
    await page.evaluate(async () => {
      for (let time = 0; time < 1000; time++) {
        ;(window as unknown as { render: () => void }).render()
        if (time % 10 === 0) await new Promise((resolve) => setTimeout(resolve))
      }
    })
    const asked = stage.site.all('stream').length
    if (name === 'as it is') expect(asked).toBeGreaterThan(50)
    else expect(asked).toBe(1)
  })
})

/** Answers as Next.js does with a route handler. */
function through(GET: Handler): Answer {
  return async (request, response) => {
    const left = new AbortController()
    response.on('close', () => left.abort())
    const headers = { cookie: request.headers.cookie ?? '', 'sec-fetch-site': 'same-origin' }
    const asked = new Request(`http://site${request.url}`, { headers, signal: left.signal })
    const answer = await GET(asked, { params: Promise.resolve({ guildId: GUILD }) })
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.flushHeaders()
    const body = Readable.fromWeb(answer.body as ReadableStream)
    body.on('error', () => response.destroy())
    response.on('close', () => body.destroy())
    body.pipe(response)
  }
}

describe.skipIf(!BEFORE).each(['as it is', 'of ours'])('a route %s', (name) => {
  scene('hands on to the browser what the server says, as it says it', async ({ stage, expect }) => {
    const bot = stage.bot('--version', '1.4.2')
    const theirs = () => new App((action) => stage.cleanUp(action), BEFORE!).route(stage.server.url, stage.site.token!)
    const route = through(name === 'of ours' ? streamRoute({ url: stage.server.url }).GET : await theirs())
    const view = await stage.visit({ panel: GUILD })
    await view.sees({ state: 'online', connectionState: 'connected' })
    /** The head of a stream, without its numbers and the time. */
    const head = () =>
      view.page.evaluate(async (url) => {
        const stop = new AbortController()
        const { body, headers } = await fetch(url, { signal: stop.signal })
        const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
        let text = ''
        while (!/revision.*\n\n/.test(text)) text += (await reader.read()).value
        stop.abort()
        return `${headers.get('content-type')} ${headers.get('cache-control')}\n${text}`.replaceAll(/\d+/g, '0')
      }, `/api/guilds/${GUILD}/status/stream`)
    const direct = await head()
    stage.site.instead.stream = route
    expect(await head()).toBe(direct)

    await view.page.reload()
    await view.sees({ state: 'online', connectionState: 'connected' })
    await bot.end('SIGKILL')
    await view.sees({ state: 'offline', word: 'Offline · stopped responding', connectionState: 'connected' })
    await view.show({ nothing: true })
    await stage.hasViewers(0)
  })
})
