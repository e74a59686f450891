// Processes that do not outlive the test that starts them, however it ends.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'

import { onTestFinished } from 'vitest'

export class Child {
  readonly process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(command: string, args: string[], options: SpawnOptions) {
    this.process = spawn(command, args, options)
    this.#ended = once(this.process, 'exit')
    // Also of a test that runs out of time.
    onTestFinished(() => this.end('SIGKILL'))
  }

  /** Sends it the signal and waits until it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.process.kill(signal)
    await this.#ended
  }
}

/** A command in a shell. */
export function shell(line: string): Child {
  return new Child('sh', ['-c', `exec ${line}`], { cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdio: 'ignore' })
}
