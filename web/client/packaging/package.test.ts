import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const tarball = inject('tarball')
/** What is in the tarball. */
let unpacked: string
let files: string[]

beforeAll(() => {
  unpacked = mkdtempSync(join(tmpdir(), 'guildpulse-unpacked-'))
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', unpacked])
  files = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(unpacked.length + 1))
    .sort()
})
afterAll(() => rmSync(unpacked, { recursive: true }))

const read = (file: string) => readFileSync(join(unpacked, file), 'utf8')
/** What the tool says, after it has ended well. */
function run(tool: string, ...args: string[]): string {
  const env = { ...process.env, NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', tool), args, { cwd: root, encoding: 'utf8', env })
  expect(status, stdout + stderr).toBe(0)
  return stdout
}
const modules = () => files.filter((file) => /^dist\/.*\.js$/.test(file))

test('publint finds nothing', () => {
  expect(run('publint', 'run', tarball, '--strict')).toContain('All good!')
})

test('attw finds nothing for users of ESM', () => {
  const styles = Object.keys(JSON.parse(read('package.json')).exports).filter((path) => path.endsWith('.css'))
  const exclude = styles.length > 0 ? ['--exclude-entrypoints', ...styles] : []
  run('attw', tarball, '--profile', 'esm-only', ...exclude)
})

test('the tarball holds what was built, its sources, what it says of itself, its licences and nothing else', () => {
  const expected = /^((dist|src)\/[\w/]+\.(js|js\.map|d\.ts|d\.ts\.map|ts|tsx)|images\/[\w-]+\.svg)$/
  expect(files.filter((file) => !expected.test(file))).toEqual(
    ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'css.d.ts', 'package.json', 'styles.css', 'tailwind.css'],
  )
  const sources = files.filter((file) => file.startsWith('src/'))
  expect(sources).not.toEqual([])
  for (const source of sources) {
    const output = source.replace(/^src/, 'dist').replace(/\.tsx?$/, '')
    for (const end of ['.js', '.js.map', '.d.ts', '.d.ts.map']) expect(files).toContain(output + end)
  }
  expect(modules()).toHaveLength(sources.length)
})

test('its README shows only pictures that are in it, and all of them take less than 150 kB', () => {
  const shown = [...read('README.md').matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, path]) => path!)
  expect(shown.filter((path) => !files.includes(path))).toEqual([])
  const pictures = files.filter((file) => file.startsWith('images/'))
  expect(pictures.reduce((sum, file) => sum + read(file).length, 0)).toBeLessThan(150_000)
})

test('every export has its file and its types', () => {
  const { exports, sideEffects } = JSON.parse(read('package.json'))
  for (const target of Object.values<string | Record<string, string>>(exports)) {
    const targets = typeof target === 'string' ? [target] : Object.values(target)
    for (const file of targets) expect(files).toContain(file.slice(2))
  }
  const hasStyles = files.some((file) => file.endsWith('.css'))
  expect(sideEffects).toEqual(hasStyles ? ['**/*.css'] : false)
})

test('who runs the example gets what the package needs', () => {
  const lock = JSON.parse(readFileSync(join(root, '../../examples/nextjs/package-lock.json'), 'utf8'))
  const { dependencies } = JSON.parse(read('package.json'))
  expect(lock.packages['node_modules/guildpulse'].dependencies).toEqual(dependencies)
})

test('no lock file names an address', () => {
  for (const folder of ['.', 'fixtures/vite', 'peers/minimum', 'peers/newest', '../../examples/nextjs']) {
    const { packages } = JSON.parse(readFileSync(join(root, folder, 'package-lock.json'), 'utf8'))
    const locked = Object.values<{ resolved?: string }>(packages)
    expect(locked.filter(({ resolved = 'file:' }) => !resolved.startsWith('file:'))).toEqual([])
  }
})

test('source maps lead to the sources in the package', () => {
  for (const map of files.filter((file) => file.endsWith('.map'))) {
    const { sources, sourceRoot = '' } = JSON.parse(read(map))
    expect(sources).not.toEqual([])
    for (const source of sources) expect(files).toContain(join(dirname(map), sourceRoot, source))
    expect(read(map.replace(/\.map$/, ''))).toContain('//# sourceMappingURL=')
  }
})

describe("'use client'", () => {
  const isMarked = (file: string) => /^['"]use client['"];?\n/.test(read(file))

  test('is kept in what has hooks or is a component', () => {
    const marked = modules().filter(isMarked)
    expect(marked).toContain('dist/react/useSSE.js')
    expect(marked).toContain('dist/useGuildStatusRealtime.js')
    // Whatever is exported as a hook or as a component has to say so itself.
    const meant = modules().filter((file) => /^export (default )?function (use[A-Z]|[A-Z]\w*\()/m.test(read(file)))
    const helper = ['dist/react/useLatest.js']
    expect(meant.filter((file) => !helper.includes(file) && !isMarked(file))).toEqual([])
  })

  test('is absent from what runs on a server, and from all that it imports', () => {
    for (const entry of ['core', 'query', 'next']) {
      const seen = reach(`dist/${entry}/index.js`)
      expect(seen.filter((file) => isMarked(file) || /from ['"]react['"]/.test(read(file)))).toEqual([])
    }
  })
})

test('next imports nothing at all from outside', () => {
  const imports = reach('dist/next/index.js').flatMap((file) => [...read(file).matchAll(/^(?:import|export) .*['"]([^.'"\n][^'"\n]*)['"];?$/gm)])
  expect(imports).toEqual([])
})

/** The module and all of the package that it imports. */
function reach(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return []
  seen.add(file)
  for (const [, path] of read(file).matchAll(/from ['"](\.[^'"]*)['"]/g)) reach(join(dirname(file), path!), seen)
  return [...seen]
}

test.each(['core', 'next'])('importing %s touches no global', async (entry) => {
  const bundled = await build({
    entryPoints: [join(unpacked, `dist/${entry}/index.js`)],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'loaded',
    // Calls that are marked as pure must be made, too.
    treeShaking: false,
    ignoreAnnotations: true,
  })
  // A bare context has what JavaScript has and nothing of a browser or of Node. Who looks for more is noticed.
  const touched: string[] = []
  const world = Object.defineProperties(
    {},
    Object.fromEntries(
      [
        'window', 'self', 'document', 'navigator', 'location', 'EventSource', 'fetch', 'process', 'console', 'localStorage',
        'performance', 'crypto', 'AbortController', 'DOMException', 'URL', 'setTimeout', 'setInterval', 'queueMicrotask',
        'BroadcastChannel', 'addEventListener', 'Buffer', 'require', 'global',
      ].map((name) => [name, { configurable: true, get: () => void touched.push(name) }]),
    ),
  )
  const exported = runInNewContext(`${bundled.outputFiles[0]!.text}; Object.keys(loaded)`, world)
  expect(exported).not.toHaveLength(0)
  expect(touched).toEqual([])
})

describe('the size, compressed and without peers', () => {
  const sizes = () => {
    const measured: { name: string; size: number; passed?: boolean }[] = JSON.parse(spawnSync(join(root, 'node_modules/.bin/size-limit'), ['--json'], { cwd: root, encoding: 'utf8' }).stdout)
    return Object.fromEntries(measured.map((entry) => [entry.name, entry]))
  }

  test('keeps to the budgets of .size-limit.json, and React and Query add 3.0 kB to the core', () => {
    const measured = sizes()
    expect(Object.values(measured).filter(({ passed }) => passed !== true)).toEqual([])
    expect(measured['react and query, with the core']!.size - measured.core!.size).toBeLessThanOrEqual(3000)
  })
})
