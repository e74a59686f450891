/** Apps around files that people have written by hand, as they are, and with import lines that name this package. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import type { CleanUp } from '../../../../e2e/child.ts'

const PACKAGE = join(import.meta.dirname, '../../..')
const MODULES = join(PACKAGE, 'node_modules')

/** What stands beside those files in the apps that they come from. */
const AROUND = {
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2023', 'dom', 'dom.iterable'],
      jsx: 'react-jsx',
      types: ['node'],
      skipLibCheck: true,
      noEmit: true,
      paths: { '@/*': ['./*'] },
    },
    include: ['.'],
  }),
  'lib/utils.ts': `export const cn = (...classes: unknown[]) => classes.filter(Boolean).join(' ')`,
  'types/guild.ts': `export interface GuildStatus { guildId: string; healthy: boolean; lastHeartbeat?: string; version: string | null }`,
  // Of Next.js only what is used.
  'node_modules/next/headers.js': `export const cookies = async () => ({ get: (name) => (name === 'auth_token' ? { value: TOKEN } : undefined) })`,
  'node_modules/next/headers.d.ts': `export function cookies(): Promise<{ get(name: string): { value: string } | undefined }>`,
  'node_modules/next/package.json': `{ "type": "module", "exports": { "./headers": { "types": "./headers.d.ts", "default": "./headers.js" } } }`,
  'main.tsx': `
    import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
    import { useState } from 'react'
    import { flushSync } from 'react-dom'
    import { createRoot } from 'react-dom/client'
    import { BotStatus } from '@/components/bot-status'
    import { useGuildStatusRealtime } from '@/hooks/use-guilds'

    function Guild({ guildId }: { guildId: string }) {
      const { data, connectionState, reconnect } = useGuildStatusRealtime(guildId)
      return (
        <BotStatus
          healthy={data?.healthy ?? false}
          lastHeartbeat={data?.lastHeartbeat}
          version={data?.version}
          connectionState={connectionState}
          onReconnect={reconnect}
          className="p-2"
        />
      )
    }

    function App() {
      const [times, setTimes] = useState(0)
      Object.assign(window, { render: () => flushSync(() => setTimes((times) => times + 1)) })
      return <div title={String(times)}><Guild guildId={new URLSearchParams(location.search).get('guild') ?? ''} /></div>
    }

    const app = document.getElementById('app')!
    const texts: string[] = []
    Object.assign(window, { texts })
    new MutationObserver(() => {
      const shown = app.cloneNode(true) as HTMLElement
      // It is said, and not shown.
      shown.querySelector('[role=status]')?.remove()
      const text = shown.textContent ?? ''
      if (text !== texts.at(-1)) texts.push(text)
    }).observe(app, { subtree: true, childList: true, characterData: true })
    createRoot(app).render(<QueryClientProvider client={new QueryClient()}><App /></QueryClientProvider>)
  `,
}

/** A route handler of Next.js. */
export type Handler = (request: Request, context: { params: Promise<{ guildId: string }> }) => Promise<Response>

/** What is changed of which file, all of it in import lines. */
export type Changes = Record<string, [from: string, to: string][]>

/** An import that the author has forgotten, so that the file would not even start. */
const FORGOTTEN: Changes = { 'hooks/use-guilds.ts': [['import { useQueryClient }', 'import { useQuery, useQueryClient }']] }

export class App {
  readonly folder = mkdtempSync(join(tmpdir(), 'guildpulse-before-'))

  /** Makes an app of the files in this folder, with these changes. */
  constructor(cleanUp: CleanUp, before: string, changes: Changes = {}) {
    cleanUp(() => rmSync(this.folder, { recursive: true }))
    const theirs = (name: string) => readFileSync(join(before, name), 'utf8')
    const files: Record<string, string> = {
      ...AROUND,
      'hooks/use-sse.ts': theirs('use-sse.ts'),
      'hooks/use-guilds.ts': theirs('use-guilds.ts'),
      'components/bot-status.tsx': theirs('bot-status.tsx'),
      'app/route.ts': theirs('route.ts'),
    }
    for (const [name, pairs] of [...Object.entries(FORGOTTEN), ...Object.entries(changes)]) {
      for (const [from, to] of pairs) {
        const line = files[name]!.split('\n').find((line) => line.trim().startsWith('import ') && line.includes(from))
        if (!line) throw new Error(`${name} has no import line with ${from}`)
        files[name] = files[name]!.replace(line, line.replace(from, to))
      }
    }
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true })
      writeFileSync(join(this.folder, name), text)
    }
    for (const name of readdirSync(MODULES)) {
      if (!name.startsWith('.')) symlinkSync(join(MODULES, name), join(this.folder, 'node_modules', name))
    }
    symlinkSync(PACKAGE, join(this.folder, 'node_modules/guildpulse'))
  }

  /** What the compiler has to say, with all that is strict. */
  check(): string {
    try {
      return execFileSync(join(MODULES, '.bin/tsc'), ['--project', this.folder], { encoding: 'utf8' })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }

  /** The page, as one script. */
  async bundle(): Promise<string> {
    const define = { 'process.env.NODE_ENV': '"development"' }
    const bundled = await build({ ...this.#options('main.tsx', define), write: false })
    return bundled.outputFiles[0]!.text
  }

  /** The handler of `app/route.ts`, whose backend is there, for a viewer with this token in a cookie. */
  async route(backend: string, token: string): Promise<Handler> {
    const outfile = join(this.folder, 'route.mjs')
    const define = { 'process.env.NEXT_PUBLIC_API_URL': JSON.stringify(backend), TOKEN: JSON.stringify(token) }
    await build({ ...this.#options('app/route.ts', define), outfile })
    return (await import(/* @vite-ignore */ outfile)).GET
  }

  #options(entry: string, define: Record<string, string>) {
    return { absWorkingDir: this.folder, entryPoints: [entry], bundle: true, format: 'esm' as const, define }
  }
}
