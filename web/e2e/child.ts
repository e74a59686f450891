// Processes that do not outlive the test that starts them, however it ends.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'

/** Has something done when the test is over, whatever became of it. */
export type CleanUp = (action: () => void | Promise<void>) => void

export class Child {
  readonly process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(cleanUp: CleanUp, command: string, args: string[], options: SpawnOptions) {
    this.process = spawn(command, args, options)
    this.#ended = once(this.process, 'exit')
    // Also of a test that runs out of time.
    cleanUp(() => this.end('SIGKILL'))
  }

  /** Sends it the signal and waits until it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.process.kill(signal)
    await this.#ended
  }
}
