/**
 * The status of a bot in one guild: a stream that has to prove that it works, and polls while it does not.
 *
 * That a stream is open proves nothing. It may be a proxy that collects everything, or a connection whose other end is
 * gone. So a stream is confirmed by a status soon after it was opened, and by one now and then from then on.
 */
import { browser, type Environment, type PageChange } from './environment.js'
import { EventStream } from './eventStream.js'
import { fetchGuildStatus, GuildStatusError, type Answered } from './fetchGuildStatus.js'
import { Newest } from './newest.js'
import { UNKNOWN, type Access, type Follower, type GuildStatusSnapshot, type GuildStatusSource } from './snapshot.js'
import { parseGoodbye, parseGuildStatus, parseHello, parseJson, ParseError, type GuildStatus, type Hello } from './status.js'

/** How long an open stream may take to its first status. */
const CONFIRM_MS = 5000
/** How long between polls. */
export const POLL_MS = 60_000
/** How long between attempts once the retries are spent; half of it is added or taken away by chance. */
const REVIVE_MS = 10_000
/** After so many refusals beside polls that are answered there is no stream. A server that restarts has both back by then. */
const REFUSALS = 3
/** How long a page is hidden until its stream is closed. */
const PAUSE_MS = 60_000

type TimerName = 'confirm' | 'check' | 'silence' | 'poll' | 'revive' | 'pause' | 'release'

export class GuildStatusConnection {
  readonly #source: GuildStatusSource
  readonly #environment: Environment
  readonly #onIdle: () => void
  readonly #stream: EventStream
  readonly #followers = new Set<Follower>()
  readonly #newest = new Newest()
  /** What has to be called so that something does not happen. */
  readonly #timers = new Map<TimerName, () => void>()
  #snapshot = UNKNOWN
  #unwatch: (() => void) | undefined
  #hello: Hello | undefined
  #isFirst = true
  /** When the last status came on the stream. */
  #heard = 0
  #isPaused = false
  /** Whether a poll was made since the stream was lost or first failed. */
  #isPolling = false
  /** Whether the newest poll was answered with a status. */
  #isAnswered = false
  /** How often in a row the answer to the stream was none of a stream, although polls were answered. */
  #refusals = 0
  #mayStream = true
  /** When the server may be asked again. */
  #notBefore = 0
  #poll: { answer: Promise<GuildStatus>; abort: AbortController } | undefined
  #answered: Answered | undefined

  /** Nothing is opened before it is followed. `onIdle` is called when the last follower has left. */
  constructor(source: GuildStatusSource, environment: Environment = browser, onIdle: () => void = () => {}) {
    this.#source = source
    this.#environment = environment
    this.#onIdle = onIdle
    const url = source.streamUrl ?? `/api/guilds/${encodeURIComponent(source.guildId)}/status/stream`
    this.#stream = new EventStream(
      url,
      source.withCredentials ?? false,
      {
        retry: () => ({}),
        firstDelay: () => this.#hello?.retryMs ?? 0,
        onOpen: () => this.#opened(),
        onMessage: (event) => this.#hear(event.data),
        onFailure: (refused) => this.#failed(refused),
        named: {
          hello: (event) => this.#greeted(event.data),
          goodbye: (event) => this.#told(event.data),
        },
      },
      () => this.#become({ connectionState: this.#stream.state }),
      environment,
    )
  }

  getSnapshot = (): GuildStatusSnapshot => this.#snapshot

  /** Follows the status until the returned function is called. The first follower opens the stream, the last closes it. */
  follow(follower: Follower): () => void {
    this.#cancel('release')
    this.#followers.add(follower)
    if (!this.#unwatch) this.#start()
    return () => {
      // Who leaves often comes back at once: React mounts twice, and a page that follows another has its own followers.
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.#after('release', 0, () => this.#stop())
    }
  }

  /** Connects anew, with all retries, and asks once. */
  reconnect(): void {
    if (!this.#unwatch) return
    this.#mayStream = true
    this.#become({ access: 'granted' })
    this.#connect()
    this.#needPoll()
  }

  /**
   * Asks for the status, unless that is being done. Resolves with the newest that is known, which may be newer than
   * the answer.
   *
   * @throws {GuildStatusError} when the answer is not 200, and {@link ParseError} when it is no status of this guild.
   */
  poll(): Promise<GuildStatus> {
    if (this.#poll) return this.#poll.answer
    const asked = this.#newest.events
    const abort = new AbortController()
    const poll = { abort, answer: this.#ask(asked, abort.signal) }
    this.#poll = poll
    const done = () => {
      if (this.#poll === poll) this.#poll = undefined
    }
    poll.answer.then(done, done)
    return poll.answer
  }

  #start(): void {
    this.#unwatch = this.#environment.page.watch((change) => this.#pageChanged(change))
    this.#isPolling = false
    this.#connect()
    if (!this.#environment.page.isVisible()) this.#pageChanged('hidden')
  }

  #stop(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#poll?.abort.abort()
    this.#stream.close()
    this.#lose()
    this.#become({ connectionState: 'connecting' })
    this.#onIdle()
  }

  #connect(): void {
    if (!this.#mayStream || this.#snapshot.access !== 'granted') return
    this.#lose()
    this.#cancel('revive')
    this.#isPaused = false
    this.#isAnswered = false
    this.#refusals = 0
    this.#stream.open()
  }

  // What happens on the stream.

  #opened(): void {
    this.#hello = undefined
    this.#isFirst = true
    this.#cancel('revive')
    this.#after('confirm', CONFIRM_MS, () => this.#stream.fail())
  }

  #greeted(text: string): void {
    // Anybody may call an event `hello`.
    const hello = parseHello(parseJson(text))
    if (!hello) return
    this.#hello = hello
    this.#become({ clockOffset: Date.parse(hello.now) - this.#environment.now() })
  }

  #hear(text: string): void {
    const status = this.#read(text)
    if (!status) return
    const now = this.#environment.now()
    const counts = this.#newest.offerEvent(status, this.#isFirst)
    this.#isFirst = false
    this.#heard = now
    this.#isAnswered = false
    this.#refusals = 0
    this.#isPolling = false
    this.#cancel('confirm')
    this.#cancel('poll')
    this.#watch()
    this.#become({
      status: counts ? status : this.#snapshot.status,
      isConfirmed: true,
      access: 'granted',
      confirmedAt: now,
      frames: this.#snapshot.frames + 1,
    })
  }

  #read(text: string): GuildStatus | undefined {
    const { guildId, parse = parseGuildStatus } = this.#source
    const data = parseJson(text)
    try {
      if (data === undefined) throw new ParseError('status: expected JSON', text)
      return parse(data, guildId)
    } catch (error) {
      this.#report(error)
      return undefined
    }
  }

  #report(error: unknown): void {
    const reported = error instanceof ParseError ? error : new ParseError(String(error), error)
    for (const follower of [...this.#followers]) follower.onParseError?.(reported)
  }

  #told(text: string): void {
    const goodbye = parseGoodbye(parseJson(text))
    // Only a server that has said that it speaks this protocol means this by it.
    if (!goodbye || !this.#hello) return
    this.#lose()
    if (goodbye.reason === 'expired' || goodbye.reason === 'revoked') {
      this.#stream.pause()
      this.#askWhether(goodbye.retryAfterMs)
    } else {
      this.#stream.openAfter(goodbye.retryAfterMs)
    }
  }

  /** The credential is said to be invalid. If it is not, as one that was renewed, the stream goes on. */
  #askWhether(retryAfterMs: number): void {
    const goOn = () => this.#stream.openAfter(retryAfterMs)
    this.poll().then(
      () => this.#unwatch && this.#connect(),
      () => this.#unwatch && this.#snapshot.access === 'granted' && goOn(),
    )
  }

  #failed(refused: boolean): void {
    const wasConfirmed = this.#snapshot.isConfirmed
    this.#lose()
    this.#refusals = refused && this.#isAnswered ? this.#refusals + 1 : 0
    if (this.#refusals >= REFUSALS) this.#pollOnly()
    else if (this.#stream.state === 'error') this.#reviveLater()
    if (wasConfirmed || !this.#isPolling) this.#needPoll()
  }

  /** The stream is not confirmed any more. */
  #lose(): void {
    this.#cancel('confirm')
    this.#cancel('check')
    this.#cancel('silence')
    this.#become({ isConfirmed: false })
  }

  /** Watches for a stream that has become silent. */
  #watch(): void {
    const interval = this.#hello?.snapshotIntervalMs
    // Who announced nothing may be silent for as long as nothing changes.
    if (!interval) return
    this.#after('check', interval * 1.3, () => this.#check())
    this.#after('silence', interval * 2.5, () => this.#stream.fail())
  }

  /** The stream is late. What a poll says shows whether something was missed. */
  #check(): void {
    if (!this.#environment.page.isVisible()) return
    const heard = this.#heard
    const stale = () => this.#snapshot.isConfirmed && this.#heard === heard
    const known = this.#snapshot.status
    this.poll().then(
      (status) => stale() && status !== known && status.revision !== known?.revision && this.#stream.fail(),
      () => stale() && this.#stream.fail(),
    )
  }

  #reviveLater(): void {
    const wait = REVIVE_MS * (0.5 + this.#environment.random())
    const until = Math.max(wait, this.#notBefore - this.#environment.now())
    this.#after('revive', until, () => {
      if (this.#environment.page.isVisible()) this.#revive()
    })
  }

  #revive(): void {
    if (this.#mayStream && this.#snapshot.access === 'granted') this.#stream.openSilently()
  }

  // Polls.

  /** Asks at once, and each minute from then on, until the stream is confirmed. */
  #needPoll(): void {
    this.#isPolling = true
    const others = [...this.#followers].flatMap((follower) => follower.onPollNeeded ?? [])
    if (others.length > 0) return others.forEach((poll) => poll())
    this.#pollNow()
  }

  #pollNow(): void {
    if (this.#snapshot.isConfirmed || this.#snapshot.access !== 'granted' || this.#isPaused) return
    const wait = Math.max(POLL_MS, this.#notBefore - this.#environment.now())
    this.#after('poll', wait, () => this.#pollNow())
    // A failure is told by what is known, and the next poll.
    if (this.#environment.page.isVisible()) this.poll().catch(() => {})
  }

  async #ask(asked: number, signal: AbortSignal): Promise<GuildStatus> {
    const { guildId, withCredentials, parse } = this.#source
    const url = this.#source.statusUrl ?? `/api/guilds/${encodeURIComponent(guildId)}/status`
    const { environment, known } = { environment: this.#environment, known: this.#answered }
    try {
      const answered = await fetchGuildStatus(url, guildId, { signal, withCredentials, known, parse, environment })
      this.#answered = answered
      this.#answeredWith(answered.status, asked)
      return this.#newest.status ?? answered.status
    } catch (error) {
      this.#isAnswered = false
      if (error instanceof GuildStatusError) this.#refused(error)
      else if (error instanceof ParseError) this.#report(error)
      throw error
    }
  }

  #answeredWith(status: GuildStatus, asked: number): void {
    const counts = this.#newest.offerAnswer(status, asked)
    const now = this.#environment.now()
    const wasOut = this.#snapshot.access !== 'granted'
    this.#become({ status: counts ? status : this.#snapshot.status, access: 'granted', confirmedAt: now })
    if (wasOut && this.#unwatch) this.#connect()
    this.#isAnswered = true
  }

  #refused({ status, retryAfterMs }: GuildStatusError): void {
    if (retryAfterMs !== undefined) this.#notBefore = this.#environment.now() + retryAfterMs
    if (status === 401 || status === 403) {
      this.#leave(status === 401 ? 'signed-out' : 'forbidden')
    } else if (status === 404) {
      this.#pollOnly()
    } else if (retryAfterMs !== undefined && !this.#snapshot.isConfirmed && this.#unwatch && this.#mayStream) {
      this.#stream.openAfter(retryAfterMs)
    }
  }

  #leave(access: Access): void {
    const isNews = this.#snapshot.access !== access
    this.#lose()
    this.#cancel('revive')
    this.#cancel('poll')
    this.#become({ access })
    this.#stream.giveUp()
    if (access === 'forbidden' || !isNews) return
    for (const follower of [...this.#followers]) follower.onUnauthorized?.()
  }

  /** There is no stream here, so it is not asked for again. */
  #pollOnly(): void {
    this.#mayStream = false
    this.#cancel('revive')
    this.#stream.giveUp()
  }

  // The page.

  #pageChanged(change: PageChange): void {
    if (change === 'hidden') return this.#after('pause', PAUSE_MS, () => this.#pause())
    if (change === 'hide') return this.#pause()
    this.#cancel('pause')
    if (this.#isPaused) {
      this.#connect()
      this.#needPoll()
    } else if (this.#snapshot.isConfirmed) {
      this.#wake()
    } else if (this.#stream.state !== 'connecting' && this.#notBefore <= this.#environment.now()) {
      this.#revive()
    }
  }

  #pause(): void {
    this.#isPaused = true
    this.#lose()
    this.#cancel('revive')
    this.#cancel('poll')
    if (this.#snapshot.access === 'granted' && this.#mayStream) this.#stream.pause()
  }

  /** Timers stand still while the machine sleeps, and are slow while a page is hidden; the clock is not. */
  #wake(): void {
    const interval = this.#hello?.snapshotIntervalMs
    if (!interval) return
    const silence = this.#environment.now() - this.#heard
    if (silence > interval * 2.5) this.#connect()
    else if (silence > interval * 1.3) this.#check()
  }

  // Small things.

  #after(name: TimerName, ms: number, callback: () => void): void {
    this.#cancel(name)
    const cancel = this.#environment.after(ms, () => {
      this.#timers.delete(name)
      callback()
    })
    this.#timers.set(name, cancel)
  }

  #cancel(name: TimerName): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }

  #become(change: Partial<GuildStatusSnapshot>): void {
    const known: Partial<Record<string, unknown>> = this.#snapshot as unknown as Record<string, unknown>
    if (Object.entries(change).every(([key, value]) => known[key] === value)) return
    this.#snapshot = { ...this.#snapshot, ...change }
    for (const follower of [...this.#followers]) follower.onChange()
  }
}
