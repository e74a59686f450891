/** What the core needs of the world. Nothing of it is touched before a connection is opened. */

/** The part of the browser's EventSource that is used. */
export interface EventSourceLike {
  readonly readyState: number
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void
  close(): void
}

/** When a page is seen, hidden, left and come back to. */
export interface Page {
  isVisible(): boolean
  /** Calls back until the returned function is called. */
  watch(listener: (change: PageChange) => void): () => void
}

/**
 * `hide`: the page is left, and may be kept for the way back. `show`: it is there again. `online`: the machine has a
 * network again.
 */
export type PageChange = 'visible' | 'hidden' | 'hide' | 'show' | 'online'

/** Time, chance, network and page. Tests and other runtimes bring their own. */
export interface Environment {
  /** None where there are no event streams, as on a server. */
  openEventSource: ((url: string, withCredentials: boolean) => EventSourceLike) | undefined
  fetch(url: string, init: RequestInit): Promise<Response>
  /** Milliseconds since 1970. */
  now(): number
  /** At least 0, less than 1. */
  random(): number
  /** Calls back after so many milliseconds, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void
  page: Page
}

/** The browser that this runs in. What it has is looked up when it is used, so that a polyfill may come late. */
export const browser: Environment = {
  get openEventSource() {
    if (typeof EventSource === 'undefined') return undefined
    return (url: string, withCredentials: boolean) => new EventSource(url, { withCredentials })
  },
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  random: () => Math.random(),
  after(ms, callback) {
    // A browser takes what does not fit into 31 bits as nothing.
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1))
    return () => clearTimeout(timer)
  },
  page: {
    isVisible: () => typeof document === 'undefined' || document.visibilityState === 'visible',
    watch(listener) {
      if (typeof document === 'undefined') return () => {}
      const stop = new AbortController()
      const listen = (target: EventTarget, type: string, change: () => PageChange) =>
        target.addEventListener(type, () => listener(change()), { signal: stop.signal })
      listen(document, 'visibilitychange', () => document.visibilityState === 'visible' ? 'visible' : 'hidden')
      listen(window, 'pagehide', () => 'hide')
      listen(window, 'pageshow', () => 'show')
      listen(window, 'online', () => 'online')
      return () => stop.abort()
    },
  },
}
