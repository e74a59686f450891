/** What a browser makes of every state of `BotStatus`, with each of its two looks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { build, preview, type PreviewServer } from 'vite'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { barriers, colours, contrast, type Rgb } from './eyes.js'
import { draw } from './picture.js'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const WHITE: Rgb = [255, 255, 255]
const NEAR_BLACK: Rgb = [10, 10, 10]
const EVERY_STATE = [
  'connecting',
  'error',
  'forbidden',
  'maintenance',
  'offline',
  'online',
  'reconnecting',
  'signed-out',
  'unavailable',
  'unknown',
]

let browser: Browser
let server: PreviewServer
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'guildpulse-gallery-'))
  const configFile = fileURLToPath(new URL('../gallery/vite.config.ts', import.meta.url))
  const options = { configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } } as const
  await build(options)
  server = await preview({ ...options, preview: { port: 0, host: '127.0.0.1' } })
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  browser = await chromium.launch({ executablePath, args: FLAGS })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A page that shows them all; nothing may go wrong on it. */
async function visit(looks: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1080, height: 1300 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(5000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  onTestFinished(async () => {
    await context.close()
    expect(complaints).toEqual([])
  })
  await page.goto(new URL(`${looks}.html`, server.resolvedUrls!.local[0]).href)
  await page.locator('#guild-forbidden [data-part=root]').waitFor()
  await page.locator('#guild-lost [data-state=error]').waitFor()
  await page.locator('#guild-muted [data-muted]').waitFor()
  return page
}

describe.each(['styles', 'tailwind'])('with %s.css', (looks) => {
  test.each(['light', 'dark'] as const)('axe finds nothing in any state, %s, with no rule off', async (colorScheme) => {
    const page = await visit(looks, { colorScheme })
    const shown = await page.locator('[data-part=root]').evaluateAll((roots) => roots.map((root) => root.getAttribute('data-state')))
    expect([...new Set(shown)].sort()).toEqual(EVERY_STATE)
    expect(await barriers(page)).toEqual([])
    await page.locator('#retried button').press('Enter')
    await page.locator('#retried [data-state=connecting] button').waitFor()
    expect(await barriers(page)).toEqual([])
  })

  test.each([
    ['light', WHITE],
    ['dark', NEAR_BLACK],
  ] as const)('words have a contrast of 4.5 and marks one of 3, %s', async (colorScheme, ground) => {
    const page = await visit(looks, { colorScheme })
    const words = await colours(page, '[data-part=word], [data-part=last-seen], [data-part=hint], [data-part=action], button')
    const marks = await colours(page, '[data-part=dot] svg')
    expect(words.length).toBeGreaterThan(40)
    for (const { of, rgb } of words) expect(contrast(rgb, ground), of).toBeGreaterThanOrEqual(4.5)
    for (const { of, rgb } of marks) expect(contrast(rgb, ground), of).toBeGreaterThanOrEqual(3)
    expect(new Set(marks.map(({ rgb }) => String(rgb))).size).toBe(7)
  })

  test('the pulse plays once, and not at all for who wants no motion', async () => {
    const page = await visit(looks, { reducedMotion: 'no-preference' })
    const pulse = page.locator('#guild-online [data-part=pulse]')
    expect(await pulse.evaluate((it) => getComputedStyle(it).animationIterationCount)).toBe('1')
    expect(await pulse.evaluate((it) => getComputedStyle(it).animationName)).not.toBe('none')
    await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState === 'finished'))

    await page.emulateMedia({ reducedMotion: 'reduce' })
    await page.reload()
    await page.locator('#guild-online [data-part=dot]').waitFor()
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
    for (const it of await page.locator('[data-part=pulse]').all()) {
      expect(await it.evaluate((it) => getComputedStyle(it).display === 'none' || getComputedStyle(it).opacity === '0')).toBe(true)
    }
  })

  test('with forced colours each mark has the colour of the text, and still a shape of its own', async () => {
    const page = await visit(looks, { forcedColors: 'active', colorScheme: 'dark' })
    const marks = await colours(page, '[data-part=dot] svg')
    const [text] = await colours(page, 'h1')
    for (const { of, rgb } of marks) expect(rgb, of).toEqual(text!.rgb)
    const shapes = await page.locator('[data-part=root]').evaluateAll((roots) =>
      roots.map((root) => [root.getAttribute('data-state'), root.querySelector('svg')?.innerHTML] as const),
    )
    expect(new Set(new Map(shapes).values()).size).toBe(EVERY_STATE.length)
    expect(await barriers(page)).toEqual([])
  })

  test('all of a lost connection may be pressed, and the button keeps the focus', async () => {
    const page = await visit(looks)
    const retried = page.locator('#retried')
    const { x, y } = (await retried.locator('[data-part=word]').boundingBox())!
    await page.mouse.click(x + 4, y + 4)
    const button = retried.getByRole('button', { name: 'Connecting...' })
    await button.waitFor()
    expect(await button.evaluate((it) => it === document.activeElement)).toBe(true)
    const again = retried.getByRole('button', { name: 'Click to retry' })
    await again.waitFor()
    expect(await again.evaluate((it) => it === document.activeElement)).toBe(true)
  })

  test('a finger finds each button: what may be pressed is 24 px high', async () => {
    const page = await visit(looks)
    const buttons = await page.locator('button').all()
    expect(buttons.length).toBeGreaterThan(6)
    for (const button of buttons) {
      const height = await button.evaluate((it) => parseFloat(getComputedStyle(it, '::after').height))
      expect(height).toBeGreaterThanOrEqual(24)
    }
  })

  test('a page may give other colours by variables', async () => {
    const page = await visit(looks)
    await page.addStyleTag({ content: ':root { --guildpulse-online: rgb(1 2 3); --guildpulse-detail: rgb(4 5 6) }' })
    for (const { rgb } of await colours(page, '#online svg, #online [data-part=word]')) expect(rgb).toEqual([1, 2, 3])
    for (const { rgb } of await colours(page, '#offline [data-part=last-seen], #guild-online-polling button')) expect(rgb).toEqual([4, 5, 6])
  })

  test('what is only for screen readers is not to be seen', async () => {
    const page = await visit(looks)
    const { width, height } = (await page.locator('#online [role=status]').boundingBox())!
    expect([width, height]).toEqual([1, 1])
  })
})

test('styles.css is dark where a page says so, and light where it says nothing', async () => {
  const page = await visit('styles', { colorScheme: 'dark' })
  const online = async () => String((await colours(page, '#online svg'))[0]!.rgb)
  const dark = await online()
  await page.evaluate(() => document.documentElement.style.setProperty('color-scheme', 'normal'))
  const light = await online()
  expect(light).not.toBe(dark)
  await page.evaluate(() => document.body.classList.add('dark'))
  expect(await online()).toBe(dark)
})

test('tailwind.css has the colours of the theme, and gives way to a utility', async () => {
  const page = await visit('tailwind')
  await page.addStyleTag({ content: ':root { --color-green-700: rgb(1 2 3) }' })
  for (const { rgb } of await colours(page, '#online svg, #online [data-part=word]')) expect(rgb).toEqual([1, 2, 3])
  const gap = await page.locator('#online [data-part=root]').evaluate((root) => {
    const before = getComputedStyle(root).columnGap
    root.classList.add('gap-4')
    return [before, getComputedStyle(root).columnGap]
  })
  expect(gap).toEqual(['8px', '16px'])
})

test('the two looks are of one size', async () => {
  const sizes = async (looks: string) => {
    const page = await visit(looks)
    return page.locator('[data-part=root]').evaluateAll((roots) =>
      roots.map((root) => `${root.closest('figure')?.id} ${root.clientWidth} × ${root.clientHeight}`),
    )
  }
  expect(await sizes('styles')).toEqual(await sizes('tailwind'))
})

// `npm run pictures` makes them anew.
test.each(['light', 'dark'] as const)('the pictures of the README are what a browser shows, %s', async (colorScheme) => {
  const images = fileURLToPath(new URL('../images/', import.meta.url))
  const page = await visit('styles', { colorScheme })
  // Where lines break is a matter of the font.
  await page.addStyleTag({ content: '.shown { white-space: nowrap }' })
  for (const figure of await page.locator('figure:not(#retried)').all()) {
    const picture = await figure.locator('[data-part=root]').evaluate(draw)
    const path = join(images, `${await figure.getAttribute('id')}-${colorScheme}.svg`)
    if (process.env.UPDATE_README) writeFileSync(path, picture)
    else expect(readFileSync(path, 'utf8'), path).toBe(picture)
  }
})
