// @vitest-environment happy-dom
/** The README shows every state of the gallery, with its words. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { act, cleanup, render } from '@testing-library/react'
import { afterEach, expect, test } from 'vitest'
import { CONTROLLED, GUILD, type Scene } from '../gallery/scenes.js'

const root = join(import.meta.dirname, '..')
const path = join(root, 'README.md')
const BEGIN = '<!-- states -->\n'
const END = '<!-- /states -->'
const SCENES = [...GUILD, ...CONTROLLED]
afterEach(cleanup)

const images = (name: string) => ['light', 'dark'].map((scheme) => `images/${name}-${scheme}.png`)

/** What a viewer reads, line by line. */
function lines(shown: Element): string {
  const parts = [...shown.querySelectorAll('[data-part=body] > *')].map((part) => part.textContent)
  return parts.join('<br>')
}

async function row({ name, shown }: Scene): Promise<string> {
  const { container } = render(shown)
  // What is old is seen to be so a moment later.
  await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
  const { state, reason } = container.querySelector<HTMLElement>('[data-part=root]')!.dataset
  const said = lines(container)
  const [light, dark] = images(name)
  const picture = `<picture><source media="(prefers-color-scheme: dark)" srcset="${dark}"><img src="${light}" alt="" height="36"></picture>`
  return `| ${picture} | ${said} | \`${state}\`${reason ? `, \`${reason}\`` : ''} |\n`
}

test('the README has each of them, as it is', async () => {
  const readme = readFileSync(path, 'utf8')
  const [before, rest] = readme.split(BEGIN)
  const [written, after] = rest!.split(END)
  const rows: string[] = []
  for (const scene of SCENES) {
    rows.push(await row(scene))
    cleanup()
  }
  const table = `\n| | words | \`data-state\`, \`data-reason\` |\n|---|---|---|\n${rows.join('')}\n`
  if (process.env.UPDATE_README) writeFileSync(path, `${before}${BEGIN}${table}${END}${after}`)
  else expect(written).toBe(table)
})

test('each picture of the README is there', () => {
  const missing = SCENES.flatMap(({ name }) => images(name)).filter((image) => !existsSync(join(root, image)))
  expect(missing).toEqual([])
})
