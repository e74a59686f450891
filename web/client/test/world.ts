/** A world in which tests move the clock, the network and the page. */
import type { Environment, EventSourceLike, PageChange } from '../src/core/environment.js'

type Listener = (event: MessageEvent<string>) => void

/** A connection, of which the test is the other end. */
export class Source implements EventSourceLike {
  readyState = 0
  readonly url: string
  readonly withCredentials: boolean
  readonly #listeners: [string, Listener][] = []

  constructor(url: string, withCredentials: boolean) {
    this.url = url
    this.withCredentials = withCredentials
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener])
  }

  close(): void {
    this.readyState = 2
  }

  get isClosed(): boolean {
    return this.readyState === 2
  }

  open(): void {
    if (!this.isClosed) this.readyState = 1
    this.#dispatch('open', {})
  }

  /** The connection breaks off, and a browser would try again. */
  drop(): void {
    if (!this.isClosed) this.readyState = 0
    this.#dispatch('error', {})
  }

  /** The answer was none of a stream. */
  refuse(): void {
    this.readyState = 2
    this.#dispatch('error', {})
  }

  send(data: unknown, type = 'message'): void {
    this.#dispatch(type, { data: typeof data === 'string' ? data : JSON.stringify(data) })
  }

  #dispatch(type: string, event: object): void {
    for (const [known, listener] of this.#listeners) if (known === type) listener(event as MessageEvent<string>)
  }
}

/** An answer to a request: its status, its JSON and its headers. */
export type Answer = { status?: number; json?: unknown; headers?: Record<string, string> } | Error

export class World implements Environment {
  /** Everything that was ever opened. */
  readonly sources: Source[] = []
  readonly requests: { url: string; init: RequestInit; at: number; answer: (answer: Answer) => void }[] = []
  /** What requests are answered at once; without it, the test answers. */
  answers: (() => Answer) | undefined
  chance = 0
  visible = true
  #now = Date.UTC(2026, 10, 22, 20, 7)
  #timers: { at: number; callback: () => void }[] = []
  readonly #watchers = new Set<(change: PageChange) => void>()

  openEventSource: Environment['openEventSource'] = (url, withCredentials) => {
    const source = new Source(url, withCredentials)
    this.sources.push(source)
    return source
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      const answer = (answer: Answer) => {
        if (answer instanceof Error) return reject(answer)
        const { status = 200, json, headers } = answer
        resolve(new Response(status === 304 ? null : JSON.stringify(json), { status, headers: headers ?? {} }))
      }
      this.requests.push({ url, init, at: this.#now, answer })
      if (this.answers) answer(this.answers())
    })
  }

  now(): number {
    return this.#now
  }

  /** Somebody sets the clock. */
  turnBack(ms: number): void {
    this.#now -= ms
  }

  random(): number {
    return this.chance
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((known) => known !== timer)
    }
  }

  page = {
    isVisible: () => this.visible,
    watch: (listener: (change: PageChange) => void) => {
      this.#watchers.add(listener)
      return () => this.#watchers.delete(listener)
    },
  }

  /** The page is hidden, shown, left or come back to. */
  turn(change: PageChange): void {
    if (change === 'visible') this.visible = true
    if (change === 'hidden') this.visible = false
    for (const watcher of [...this.#watchers]) watcher(change)
  }

  /** Lets time pass, and everything happen that is due. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await this.settle()
      const next = this.#timers.reduce((least, timer) => Math.min(least, timer.at), Infinity)
      if (next > end) break
      this.#now = Math.max(this.#now, next)
      const due = this.#timers.filter((timer) => timer.at <= this.#now)
      this.#timers = this.#timers.filter((timer) => timer.at > this.#now)
      for (const timer of due) timer.callback()
    }
    this.#now = end
    await this.settle()
  }

  /** The machine sleeps: the clock goes on and nothing happens. */
  sleep(ms: number): void {
    this.#now += ms
  }

  /** Lets promises settle. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }

  /** The connections that are not closed. */
  get open(): Source[] {
    return this.sources.filter((source) => !source.isClosed)
  }

  /** The newest connection. */
  get source(): Source {
    const source = this.sources.at(-1)
    if (!source) throw new Error('nothing was opened')
    return source
  }

  /** Whether anything is waited for. */
  get isIdle(): boolean {
    return this.#timers.length === 0 && this.#watchers.size === 0
  }
}
