/**
 * One event stream that is opened again when it fails.
 *
 * The browser's EventSource retries by itself, but not after an answer that is not 200, and nobody can tell how often.
 * So it is closed at its first error, and a new one opened after a delay of our own.
 */
import { browser, type Environment, type EventSourceLike } from './environment.js'

/** What a connection is doing. */
export type ConnectionState =
  /** An attempt runs, or none was made yet. */
  | 'connecting'
  /** It is open. */
  | 'connected'
  /** It failed, and the next attempt is waited for. */
  | 'disconnected'
  /** It failed too often. */
  | 'error'

/** How often and how soon a stream is opened again. */
export interface RetryOptions {
  /** How many failures without a message between them are followed by another attempt; 3 if left out. */
  maxRetries?: number | undefined
  /** Milliseconds before the first of them, which double each time; 1000 if left out. 0 to 50 % are added. */
  initialRetryDelay?: number | undefined
  /** The most milliseconds before that addition; 30,000 if left out. */
  maxRetryDelay?: number | undefined
}

/** Who is told what happens on a stream. */
export interface StreamListener {
  /** Read anew for each attempt. */
  retry(): RetryOptions
  /** The least delay of the first retry, in milliseconds. */
  firstDelay?(): number
  onMessage(event: MessageEvent<string>): void
  /** The stream has failed for the last time. */
  onExhausted?(): void
  onOpen?(): void
  /** The stream has failed; `refused` if there was an answer, and it was no stream. */
  onFailure?(refused: boolean): void
  /** Events that have a name of their own. */
  named?: Record<string, (event: MessageEvent<string>) => void>
}

/** `EventSource.CLOSED`, which is not there everywhere. */
const CLOSED = 2

export class EventStream {
  readonly #url: string
  readonly #withCredentials: boolean
  readonly #listener: StreamListener
  readonly #environment: Environment
  readonly #changed: () => void
  #state: ConnectionState = 'connecting'
  #source: EventSourceLike | undefined
  #cancelRetry: (() => void) | undefined
  #failures = 0

  /** Nothing is opened before {@link open}. `changed` is called after each change of the state. */
  constructor(
    url: string,
    withCredentials: boolean,
    listener: StreamListener,
    changed: () => void,
    environment: Environment = browser,
  ) {
    this.#url = url
    this.#withCredentials = withCredentials
    this.#listener = listener
    this.#changed = changed
    this.#environment = environment
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Opens the stream, now and with all retries before it; what was open or waited for is given up. */
  open(): void {
    this.#failures = 0
    this.#attempt('connecting')
  }

  /** Opens the stream without a word: the state stays what it is until that succeeds. */
  openSilently(): void {
    this.#attempt(this.#state)
  }

  /** Opens the stream after so many milliseconds, without spending a retry. */
  openAfter(ms: number): void {
    this.close()
    this.#cancelRetry = this.#environment.after(ms, () => this.#attempt('connecting'))
    this.#become('disconnected')
  }

  /** Closes the stream for good, or until it is opened. */
  giveUp(): void {
    this.close()
    this.#become('error')
  }

  /** Closes the stream for as long as nobody looks. */
  pause(): void {
    this.close()
    this.#become('disconnected')
  }

  /** Closes the stream. Nothing is heard of it any more. */
  close(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    // Whoever still holds events of this source is not listened to.
    const source = this.#source
    this.#source = undefined
    source?.close()
  }

  /** The stream counts as failed, although nothing was said of it. */
  fail(): void {
    this.#failed(false)
  }

  #attempt(state: ConnectionState): void {
    this.close()
    this.#become(state)
    const open = this.#environment.openEventSource
    if (!open) {
      this.#exhaust()
      return
    }
    const source = open(this.#url, this.#withCredentials)
    this.#source = source
    const listen = (type: string, handle: (event: MessageEvent<string>) => void) =>
      source.addEventListener(type, (event) => {
        // It may have been superseded since the browser put the event into its queue.
        if (this.#source === source) handle(event)
      })
    listen('open', (event) => {
      // A server may give an event this name, or `error`, and it comes to the same listeners.
      if ('data' in event) return
      this.#become('connected')
      this.#listener.onOpen?.()
    })
    listen('message', (event) => {
      // An open stream proves nothing: a server that opens and drops would be asked for ever without a pause.
      this.#failures = 0
      this.#listener.onMessage(event)
    })
    listen('error', (event) => {
      if ('data' in event) return
      this.#failed(source.readyState === CLOSED)
    })
    for (const [name, handle] of Object.entries(this.#listener.named ?? {})) listen(name, handle)
  }

  #failed(refused: boolean): void {
    this.close()
    const { maxRetries = 3, initialRetryDelay = 1000, maxRetryDelay = 30_000 } = this.#listener.retry()
    const own = Math.min(maxRetryDelay, initialRetryDelay * 2 ** this.#failures)
    const delay = this.#failures === 0 ? Math.max(own, this.#listener.firstDelay?.() ?? 0) : own
    this.#failures += 1
    if (this.#failures > maxRetries) {
      this.#exhaust()
    } else {
      const jitter = delay * 0.5 * this.#environment.random()
      this.#cancelRetry = this.#environment.after(delay + jitter, () => this.#attempt('connecting'))
      this.#become('disconnected')
    }
    this.#listener.onFailure?.(refused)
  }

  #exhaust(): void {
    const already = this.#state === 'error'
    this.#become('error')
    if (!already) this.#listener.onExhausted?.()
  }

  #become(state: ConnectionState): void {
    if (this.#state === state) return
    this.#state = state
    this.#changed()
  }
}
