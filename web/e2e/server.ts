// The real program as a process of its own.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { Child, type CleanUp } from './child.ts'

/** The binary under test; `cargo test` has built it. */
export const BINARY = resolve(process.env.GUILDPULSE_BINARY ?? join(import.meta.dirname, '../../target/debug/guildpulse'))
/** Long enough for anything that is to happen at once, however busy the machine. */
export const SOON = 10_000

export class Server {
  readonly folder: string
  url = ''
  /** What it has printed, its log included. */
  output = ''
  #process: Child | undefined
  readonly #cleanUp: CleanUp
  readonly #arguments: string[]

  private constructor(cleanUp: CleanUp, folder: string, args: string[]) {
    this.#cleanUp = cleanUp
    this.folder = folder
    this.#arguments = args
  }

  /** Starts a server on a free port, in a folder of its own. */
  static async start(cleanUp: CleanUp, ...args: string[]): Promise<Server> {
    const server = new Server(cleanUp, mkdtempSync(join(tmpdir(), 'guildpulse-e2e-')), args)
    cleanUp(() => rmSync(server.folder, { recursive: true }))
    await server.begin('127.0.0.1:0')
    return server
  }

  /** Starts it, or starts it once more. */
  async begin(listen: string): Promise<void> {
    this.output = ''
    const args = ['serve', '--listen', listen, ...this.#arguments]
    const started = new Child(this.#cleanUp, BINARY, args, { cwd: this.folder, env: {} })
    this.#process = started
    const { stdout, stderr } = started.process
    for (const stream of [stdout, stderr]) stream?.on('data', (text) => (this.output += text))
    this.url = (await this.said(/listening on (\S+)/))[1] ?? ''
  }

  /** What it prints, once it does. */
  async said(pattern: RegExp): Promise<RegExpMatchArray> {
    return eventually(`it prints ${pattern}`, () => this.output.match(pattern) ?? undefined)
  }

  /** The newest link that signs in. */
  async link(): Promise<string> {
    await this.said(/#code=\w+\n/)
    return this.output.match(/http:\S+#code=\w+/g)?.at(-1) ?? ''
  }

  /** A token of the data folder. */
  token(...args: string[]): string {
    return execFileSync(BINARY, ['token', ...args], { cwd: this.folder, env: {}, encoding: 'utf8' }).trim()
  }

  /** Ends it, as a person or as a crash would. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#process?.end(signal)
  }
}

/** Waits until there is a value. */
export async function eventually<T>(what: string, look: () => T | undefined): Promise<T> {
  const deadline = Date.now() + SOON
  for (;;) {
    const value = look()
    if (value !== undefined) return value
    if (Date.now() > deadline) throw new Error(`it is not so that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
