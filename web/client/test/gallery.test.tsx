// @vitest-environment happy-dom
/** The README shows every state of the gallery, with its words. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { act, cleanup, render } from '@testing-library/react'
import { afterEach, expect, test } from 'vitest'
import { CONTROLLED, GUILD, MUTED, type Scene } from '../gallery/scenes.js'

const root = join(import.meta.dirname, '..')
const path = join(root, 'README.md')
const BEGIN = '<!-- states -->\n'
const END = '<!-- /states -->'
afterEach(cleanup)

const images = (name: string) => ['light', 'dark'].map((scheme) => `images/${name}-${scheme}.svg`)

/** What a viewer reads, line by line. */
function lines(shown: Element): string {
  const parts = [...shown.querySelectorAll('[data-part=body] > *')].map((part) => part.textContent)
  return parts.join('<br>')
}

async function row({ name, shown }: Scene): Promise<string> {
  const { container } = render(shown)
  // What is old is seen to be so a moment later.
  await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
  const { state, reason, muted } = container.querySelector<HTMLElement>('[data-part=root]')!.dataset
  const said = lines(container)
  const [light, dark] = images(name)
  const picture = `<picture><source media="(prefers-color-scheme: dark)" srcset="${dark}"><img src="${light}" alt=""></picture>`
  const attributes = [state, reason, muted && 'data-muted'].filter(Boolean).map((value) => `\`${value}\``)
  cleanup()
  return `| ${picture} | ${said} | ${attributes.join(', ')} |\n`
}

async function table(scenes: Scene[]): Promise<string> {
  const rows: string[] = []
  for (const scene of scenes) rows.push(await row(scene))
  return `\n| | words | \`data-state\`, \`data-reason\` |\n|---|---|---|\n${rows.join('')}\n`
}

test('the README has each of them, as it is', async () => {
  const readme = readFileSync(path, 'utf8')
  const [before, rest] = readme.split(BEGIN)
  const [written, after] = rest!.split(END)
  const guild = await table([...GUILD, MUTED])
  const tables = `\nOf a guild that it follows:\n${guild}Of what it is given:\n${await table(CONTROLLED)}`
  if (process.env.UPDATE_README) writeFileSync(path, `${before}${BEGIN}${tables}${END}${after}`)
  else expect(written).toBe(tables)
})

test('each picture is in the README, and none is missing', () => {
  const shown = [...readFileSync(path, 'utf8').matchAll(/images\/([\w-]+\.svg)/g)].map(([, name]) => name!)
  expect(readdirSync(join(root, 'images')).sort()).toEqual([...new Set(shown)].sort())
})
