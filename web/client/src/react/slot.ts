/**
 * What a component knows of the connection that it follows now. `key` says which it is, so that nothing of the one
 * before is shown for the next.
 */
export interface Keyed<T> {
  readonly key: string
  readonly value: T
}

/** A place for one connection after the other, to be read by `useSyncExternalStore`. */
export class Slot<T> {
  #state: Keyed<T>
  readonly #listeners = new Set<() => void>()

  constructor(value: T) {
    this.#state = { key: '', value }
  }

  set(key: string, value: T): void {
    if (this.#state.key === key && this.#state.value === value) return
    this.#state = { key, value }
    for (const listener of this.#listeners) listener()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  getSnapshot = (): Keyed<T> => this.#state
}
