/** A fresh app in a folder of its own, with the packed package in it, and a browser that looks at it. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { chromium, type BrowserContext, type BrowserContextOptions } from 'playwright-core'
import { inject } from 'vitest'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const ENV = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', CI: '1', NO_COLOR: '1', NODE_ENV: undefined }

export class App {
  readonly folder = mkdtempSync(join(tmpdir(), 'guildpulse-app-'))
  readonly #cleanUp: (() => unknown)[] = []

  /** Copies the app, without what was built or installed there, and installs the package as one from the registry. */
  static async install(from: string): Promise<App> {
    const app = new App()
    const isSource = (path: string) => !['node_modules', '.next', 'dist', 'dist-server', 'next-env.d.ts'].includes(basename(path))
    cpSync(from, app.folder, { recursive: true, filter: isSource })
    const manifest = join(app.folder, 'package.json')
    const contents = JSON.parse(readFileSync(manifest, 'utf8'))
    contents.dependencies.guildpulse = `file:${inject('tarball')}`
    writeFileSync(manifest, JSON.stringify(contents))
    await app.run('npm', 'install', '--no-audit', '--no-fund', '--no-progress', '--prefer-offline')
    return app
  }

  /** Runs a command there, and returns what it says. What it says is in the error, too. */
  run(command: string, ...args: string[]): Promise<string> {
    return this.runWith({}, command, ...args)
  }

  /** The same with more in its environment. */
  async runWith(env: Record<string, string>, command: string, ...args: string[]): Promise<string> {
    try {
      const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: this.folder, env: { ...ENV, ...env } as NodeJS.ProcessEnv })
      return stdout + stderr
    } catch (error) {
      const { message, stdout } = error as Error & { stdout: string }
      throw new Error(`${message}\n${stdout}`)
    }
  }

  /** Starts one of its programs on a port that is free, and waits until it answers there. */
  async start(program: string, args: string[], env: Record<string, string>): Promise<string> {
    for (;;) {
      const port = await freePort()
      const child = spawn(join(this.folder, 'node_modules/.bin', program), [...args, '--port', String(port)], {
        cwd: this.folder,
        env: { ...ENV, ...env } as NodeJS.ProcessEnv,
      })
      const ended = once(child, 'exit')
      this.#cleanUp.push(() => (child.kill('SIGKILL'), ended))
      let said = ''
      for (const output of [child.stdout, child.stderr]) output.on('data', (text) => (said += text))
      const url = `http://localhost:${port}`
      for (const deadline = Date.now() + 30_000; Date.now() < deadline && child.exitCode === null; ) {
        // Whoever else has the port may answer, too.
        if (said.includes('Ready') && (await fetch(url).then(() => true, () => false))) return url
        await setTimeout(50)
      }
      // Somebody else has taken the port since it was free.
      if (!said.includes('EADDRINUSE')) throw new Error(`${program} does not answer: ${said}`)
    }
  }

  /** A browser that nobody has used, and that may be anywhere in the world. */
  async browse(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
    const env = { PATH: process.env.PATH ?? '', HOME: this.folder }
    const browser = await chromium.launch({ executablePath, args: FLAGS, env })
    this.#cleanUp.push(() => browser.close())
    return browser.newContext(options)
  }

  async remove(): Promise<void> {
    for (const clean of this.#cleanUp.reverse()) await clean()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** What went wrong in any page of the browser, as it tells it. */
export function complaints(context: BrowserContext): string[] {
  const heard: string[] = []
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) heard.push(message.text())
  })
  context.on('weberror', (error) => heard.push(error.error().message))
  return heard
}
