import type { Environment } from './environment.js'

/** What is going to happen, each thing by its name. What is started again does not happen before. */
export class Timers<Name extends string> {
  readonly #environment: Environment
  /** What has to be called so that something does not happen. */
  readonly #cancels = new Map<Name, () => void>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  start(name: Name, ms: number, callback: () => void): void {
    this.cancel(name)
    const cancel = this.#environment.after(ms, () => {
      this.#cancels.delete(name)
      callback()
    })
    this.#cancels.set(name, cancel)
  }

  /** Whether it is still to happen. */
  has(name: Name): boolean {
    return this.#cancels.has(name)
  }

  cancel(...names: Name[]): void {
    for (const name of names) {
      this.#cancels.get(name)?.()
      this.#cancels.delete(name)
    }
  }

  cancelAll(): void {
    this.cancel(...this.#cancels.keys())
  }
}
