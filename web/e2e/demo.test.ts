import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { Visit } from './browser.ts'
import { Server, SOON } from './server.ts'

/** Where the pictures go; `make screenshots` keeps those that the README shows. */
const PICTURES = process.env.SCREENSHOTS ?? join(import.meta.dirname, '../../target/screenshots')
mkdirSync(PICTURES, { recursive: true })

for (const colorScheme of ['light', 'dark'] as const) {
  test(`who crashes shard 3 sees its mark change by itself, and how long that took (${colorScheme})`, async () => {
    const server = await Server.start(onTestFinished, '--demo')
    const visit = await Visit.begin({ colorScheme })
    const { page } = visit
    await page.goto(await server.link())
    await visit.word('Online')
    expect(page.url(), 'the code is gone from the address').toBe(`${server.url}/`)
    await page.waitForFunction(() => document.querySelectorAll('#tiles li[data-state=online]').length === 16)
    expect(await visit.shape()).toBe('#online')
    expect(await page.locator('#tiles li.own').textContent()).toBe('3')
    // A page that is loaded anew forgets this.
    await page.evaluate(() => (document.body.dataset.sameDocument = 'yes'))

    await page.getByRole('button', { name: 'Crash shard 3' }).click()
    await visit.word('Offline · stopped responding')
    expect(await visit.shape()).toBe('#offline')
    await page.getByText(/^The crash was seen after [1-9]\.\d\d s\.$/).waitFor()
    const offline = await page.locator('#tiles li[data-state=offline]').allTextContents()
    expect(offline).toEqual(['3'])
    await page.screenshot({ path: join(PICTURES, `crash-${colorScheme}.png`) })
    expect(await visit.barriers()).toEqual([])

    await page.getByText(/ Online again after \d+\.\d\d s\.$/).waitFor({ timeout: 3 * SOON })
    expect(await page.locator('body').getAttribute('data-same-document')).toBe('yes')
  })
}

test('a deploy shows its version and an outage its reason, from the keyboard alone', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  const visit = await Visit.begin()
  const { page } = visit
  await page.goto(await server.link())
  await visit.word('Online')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText(/^Version 1\.4\.\d was seen after \d\.\d\d s\. It was never offline here\.$/).waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await visit.word('Discord outage')
  expect(await visit.shape()).toBe('#reconnecting')
  await page.getByText(/^The outage was seen after \d\.\d\d s\.$/).waitFor()
  await page.waitForFunction(() => document.querySelectorAll('#tiles li[data-state=reconnecting]').length === 16)
  expect(await visit.barriers()).toEqual([])
  await page.getByText(/ Online again after \d+\.\d\d s\.$/).waitFor({ timeout: 2 * SOON })
})

test('who deploys twice in haste is told of the version that was asked for, and nothing that is not so', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  const visit = await Visit.begin()
  const { page } = visit
  await page.goto(await server.link())
  await visit.word('Online')
  const deploy = page.getByRole('button', { name: 'Deploy' })
  const answers = []
  for (const wait of [500, 0]) {
    const answer = page.waitForResponse(/demo/)
    await deploy.click()
    answers.push((await (await answer).json()).version)
    await page.waitForTimeout(wait)
  }
  expect(answers[0]).not.toBe(answers[1])
  await page.getByText(/^Version .* was seen after /).waitFor()
  expect(await page.locator('#stopwatch').textContent()).toContain(`Version ${answers[1]} was`)

  await page.getByRole('button', { name: 'Crash shard 3' }).click()
  await visit.word('Offline · stopped responding')
  await deploy.click()
  await page.getByText(/^Version .* was seen after \d\.\d\d s\.$/).waitFor()
})

test('each state has a shape of its own, and the mark pulses only for those who like motion', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  for (const reducedMotion of ['reduce', 'no-preference'] as const) {
    const visit = await Visit.begin({ reducedMotion })
    const { page } = visit
    await page.goto(await server.link())
    await visit.word('Online')
    const shapes = await page.locator('.legend use').evaluateAll((uses) => uses.map((use) => use.getAttribute('href')))
    expect(new Set(shapes).size).toBe(6)
    const drawn = await page.locator('symbol').evaluateAll((symbols) => symbols.map((symbol) => symbol.innerHTML.trim()))
    expect(new Set(drawn).size).toBe(6)
    await page.evaluate(() => {
      const mark = document.getElementById('mark') as unknown as SVGElement
      const animate = mark.animate.bind(mark)
      mark.animate = (...args) => (document.body.dataset.pulsed = 'yes') && animate(...args)
    })
    await page.getByRole('button', { name: 'Deploy' }).click()
    await page.getByText('It was never offline here.').waitFor()
    const pulsed = await page.locator('body').getAttribute('data-pulsed')
    expect(pulsed).toBe(reducedMotion === 'reduce' ? null : 'yes')
  }
})
