/** What a viewer of this page has seen and what it was told, for tests to read. */

/** What was to be seen from a moment on. */
export interface Seen {
  /** Milliseconds since 1970. */
  at: number
  state: string
  word: string
  isMuted: boolean
  /** What a retry is offered with. */
  action: string
  connectionState: string
}

export interface Record {
  /** Each look of the page, the first one first. */
  seen: Seen[]
  /** What a screen reader was given to say. */
  spoken: string[]
  /** What `onParseError` was told. */
  parseErrors: string[]
  /** How often `onUnauthorized` was called. */
  unauthorized: number
  /** The data of each call of `onMessage`. */
  messages: unknown[]
  /** How often `onError` was called. */
  errors: number
  /** How often the component of each name was rendered. */
  renders: { [name: string]: number }
  /** What was thrown and caught by nobody. */
  uncaught: string[]
  /** The page's own `visibilityState` and `persisted`, as the browser told them. */
  page: string[]
}

declare global {
  interface Window {
    record: Record
  }
}

export const record: Record = {
  seen: [],
  spoken: [],
  parseErrors: [],
  unauthorized: 0,
  messages: [],
  errors: 0,
  renders: {},
  uncaught: [],
  page: [],
}
window.record = record

export function rendered(name: string): void {
  record.renders[name] = (record.renders[name] ?? 0) + 1
}

let saying = ''

function look(): void {
  const root = document.querySelector('[data-part=root]')
  const seen = {
    state: root?.getAttribute('data-state') ?? '',
    word: root?.querySelector('[data-part=word]')?.textContent ?? '',
    isMuted: root?.hasAttribute('data-muted') ?? false,
    action: root?.querySelector('[data-part=action]')?.textContent ?? '',
    connectionState: document.getElementById('connection')?.textContent ?? '',
  }
  const { at, ...last } = record.seen.at(-1) ?? { at: 0 }
  if (JSON.stringify(last) !== JSON.stringify(seen)) record.seen.push({ at: Date.now(), ...seen })
  const said = root?.querySelector('[role=status]')?.textContent ?? ''
  if (said && said !== saying) record.spoken.push(said)
  saying = said
}

export function watch(app: HTMLElement): void {
  new MutationObserver(look).observe(app, { subtree: true, childList: true, characterData: true, attributes: true })
  addEventListener('error', (event) => record.uncaught.push(event.message))
  addEventListener('pagehide', ({ persisted }) => record.page.push(`pagehide ${persisted}`))
  addEventListener('pageshow', ({ persisted }) => record.page.push(`pageshow ${persisted}`))
  document.addEventListener('visibilitychange', () => record.page.push(document.visibilityState))
}
