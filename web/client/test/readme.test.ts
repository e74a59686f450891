import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { LABELS } from '../src/react/status/labels.js'

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
/** Inside, so that what is compiled there finds the packages. */
const folder = mkdtempSync(join(root, 'node_modules/.readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Row {
  option: string
  type: string
  standard: string
}

/** The tables of options by the name of their type. */
const tables = [...readme.matchAll(/<!-- options: (\w+) -->\n\n\|.*\n\|[-|]+\n((?:\|.*\n)+)/g)].map(([, name, body]) => {
  const rows = body!.trimEnd().split('\n').map((line): Row => {
    // A bar within a cell is escaped.
    const cells = line.split(/(?<!\\)\|/).slice(1).map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|'))
    const [option, type, standard] = cells
    return { option: option!, type: type!, standard: standard! }
  })
  return { name: name!, rows }
})

/** What the compiler has against these files, with the package's own sources behind its name. */
function compile(files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const to = (path: string) => relative(folder, join(root, path))
  const paths = {
    guildpulse: [to('src/index.ts')],
    'guildpulse/styles.css': [to('css.d.ts')],
    'guildpulse/*': [to('src/*/index.ts')],
  }
  const config = {
    extends: to('tsconfig.json'),
    compilerOptions: { types: [], noUnusedLocals: false, paths },
    include: [],
    files: Object.keys(files),
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--project', folder, '--pretty', 'false'], { encoding: 'utf8' })
  return stdout
}

test('the tables of options have every option with its type, and say which are required', () => {
  const names = ['GuildBotStatusProps', 'ControlledBotStatusProps', 'UseGuildStatusRealtimeOptions', 'UseSSEOptions']
  expect(tables.map(({ name }) => name)).toEqual(names)
  const claims = tables.map(({ name, rows }) => {
    const fields = rows.map(({ option, type, standard }) =>
      standard === 'required' ? `  ${option}: ${type}` : `  ${option}?: (${type}) | undefined`,
    )
    return `interface Documented${name} {\n${fields.join('\n')}\n}\nexport const same${name}: Same<Documented${name}, Plain<${name}>> = true\n`
  })
  const same = [
    `import type { BotStatusLabels, ConnectionState, GuildStatus, ParseError, ${names.join(', ')} } from 'guildpulse'`,
    `import type { Locale } from 'date-fns'`,
    // What one form must not have is there to tell the two apart.
    'type Plain<T> = { [K in keyof T as [T[K]] extends [undefined] ? never : K]: T[K] }',
    'type Same<A, B> = (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : false',
  ]
  expect(compile({ 'options.ts': [...same, ...claims].join('\n') })).toBe('')
})

test('the numbers in the tables are those of the code', () => {
  const numbers = tables.flatMap(({ rows }) => rows).filter(({ standard }) => /^\d/.test(standard))
  expect(numbers.map(({ option }) => option)).toEqual(['maxRetries', 'initialRetryDelay', 'maxRetryDelay'])
  const code = readFileSync(join(root, 'src/core/eventStream.ts'), 'utf8')
  for (const { option, standard } of numbers) expect(code).toMatch(new RegExp(`\\b${option} = ${standard}\\b`))
})

test('the variables and parts for the looks are those of the code', () => {
  const source = (path: string) => readFileSync(join(root, path), 'utf8')
  const names = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].sort()
  const [, colours] = /^- Colours are variables: (.*)$/m.exec(readme)!
  expect(names(colours!, /`(?:--guildpulse)?-(\w+)`/g)).toEqual(names(source('styles.css'), /var\(--guildpulse-(\w+)/g))
  const [, parts] = /`data-part` names (.*)$/m.exec(readme)!
  const code = source('src/react/status/BotStatusView.tsx') + source('src/react/status/Announcement.tsx')
  expect([...names(parts!, /`([\w-]+)`/g), 'root'].sort()).toEqual(names(code, /data-part="([\w-]+)"/g))
})

test('the labels are those of the code', () => {
  const [, rows] = /<!-- labels -->\n\n\|.*\n\|.*\n((?:\|.*\n)+)/.exec(readme)!
  const told = rows!.trimEnd().split('\n').map((line) => /^\| `([\w-]+)` \| `?(.+?)`? \|$/.exec(line)!.slice(1))
  expect(told).toEqual(Object.entries(LABELS))
})

test('the problems of the routes are those of the code', () => {
  const told = [...readme.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => `${code}: ${status}`)
  const code = readFileSync(join(root, 'src/next/problem.ts'), 'utf8')
  expect(told).toEqual([...code.matchAll(/^  (\w+): \[(\d{3}),/gm)].map(([, code, status]) => `${code}: ${status}`))
})

test('every example compiles strictly', () => {
  const examples = [...readme.matchAll(/```tsx\n([\s\S]*?)```/g)].map(([, code]) => code!)
  expect(examples.length).toBeGreaterThan(4)
  expect(compile(Object.fromEntries(examples.map((code, at) => [`example${at}.tsx`, code])))).toBe('')
})
