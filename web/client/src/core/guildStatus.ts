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
import { statusUrlOf, UNKNOWN, type Access, type Follower, type GuildStatusSnapshot, type GuildStatusSource } from './snapshot.js'
import { parseGoodbye, parseHello, parseJson, ParseError, readGuildStatus, type GuildStatus, type Hello } from './status.js'
import { Timers } from './timers.js'

/** How long an open stream may take to its first status. */
const CONFIRM_MS = 5000
/** How long between polls. */
export const POLL_MS = 60_000
/** How long between attempts once the retries are spent; half of it is added or taken away by chance. */
const REVIVE_MS = 10_000
/** After so many refusals beside polls that are answered there is no stream. A server that restarts has both back by then. */
const REFUSALS = 3
/** How long until a stream that was not there is asked for again, by the same chance: the server may just have been full. */
const STREAMLESS_MS = 300_000
/** How long a page is hidden until its stream is closed. */
const PAUSE_MS = 60_000
/** Two polls. */
const LOST_MS = 2 * POLL_MS
/** A timer that is later than this has slept with the machine. */
const SLEPT_MS = 5000
/** How long what was known before the server's restart is shown. Bots are heard again within that time. */
const RESTART_MS = 5000
/** Why the server knows nothing after its own restart. */
const RESTARTED = 'server_restarted'

export class GuildStatusConnection {
  readonly #source: GuildStatusSource
  readonly #environment: Environment
  readonly #onIdle: () => void
  readonly #stream: EventStream
  readonly #followers = new Set<Follower>()
  readonly #newest = new Newest()
  readonly #timers: Timers<'confirm' | 'check' | 'silence' | 'poll' | 'revive' | 'streamless' | 'pause' | 'release' | 'lost' | 'restart'>
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
  /** When the server may be asked again. */
  #notBefore = 0
  #poll: { answer: Promise<GuildStatus>; abort: AbortController } | undefined
  #answered: Answered | undefined

  /** Nothing is opened before it is followed. `onIdle` is called when the last follower has left. */
  constructor(source: GuildStatusSource, environment: Environment = browser, onIdle: () => void = () => {}) {
    this.#source = source
    this.#environment = environment
    this.#timers = new Timers(environment)
    this.#onIdle = onIdle
    this.#stream = new EventStream(
      source.streamUrl ?? `${statusUrlOf(source.guildId)}/stream`,
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
    this.#timers.cancel('release')
    this.#followers.add(follower)
    if (!this.#unwatch) this.#start()
    return () => {
      // Who leaves often comes back at once: React mounts twice, and a page that follows another has its own followers.
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.#timers.start('release', 0, () => this.#stop())
    }
  }

  /** Connects anew, with all retries, and asks once. */
  reconnect(): void {
    if (!this.#unwatch) return
    this.#timers.cancel('streamless')
    this.#notBefore = 0
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
    const abort = new AbortController()
    const poll = { abort, answer: this.#ask(this.#newest.events, abort.signal) }
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
    this.#countDown()
    if (!this.#environment.page.isVisible()) this.#pageChanged('hidden')
  }

  #stop(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#timers.cancelAll()
    this.#poll?.abort.abort()
    this.#stream.close()
    this.#lose()
    this.#become({ connectionState: 'connecting', isLost: false, before: undefined })
    this.#onIdle()
  }

  #connect(): void {
    this.#isPaused = false
    if (!this.#mayStream) return
    this.#lose()
    this.#timers.cancel('revive')
    this.#isAnswered = false
    this.#refusals = 0
    this.#stream.open()
  }

  // What happens on the stream.

  #opened(): void {
    this.#hello = undefined
    this.#isFirst = true
    this.#timers.cancel('revive')
    this.#timers.start('confirm', CONFIRM_MS, () => this.#stream.fail())
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
    const newest = this.#newest.afterEvent(status, this.#isFirst)
    this.#isFirst = false
    this.#heard = this.#environment.now()
    this.#isAnswered = false
    this.#refusals = 0
    this.#isPolling = false
    this.#timers.cancel('confirm', 'poll')
    this.#watch()
    this.#learn(newest, { isConfirmed: true, frames: this.#snapshot.frames + 1 })
  }

  #read(text: string): GuildStatus | undefined {
    try {
      return readGuildStatus(text, this.#source.guildId, this.#source.parse)
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
    this.poll().then(
      () => this.#unwatch && this.#connect(),
      () => this.#unwatch && this.#snapshot.access === 'granted' && this.#stream.openAfter(retryAfterMs),
    )
  }

  #failed(refused: boolean): void {
    const wasConfirmed = this.#snapshot.isConfirmed
    this.#lose()
    this.#refusals = refused && this.#isAnswered ? this.#refusals + 1 : 0
    if (this.#refusals >= REFUSALS) this.#pollOnly()
    else if (this.#stream.state === 'error') this.#reviveAfter('revive', REVIVE_MS)
    if (wasConfirmed || !this.#isPolling) this.#needPoll()
  }

  /** The stream is not confirmed any more. */
  #lose(): void {
    if (this.#snapshot.isConfirmed) this.#countDown()
    this.#timers.cancel('confirm', 'check', 'silence')
    this.#become({ isConfirmed: false })
  }

  /** Watches for a stream that has become silent. */
  #watch(): void {
    const interval = this.#hello?.snapshotIntervalMs
    // Who announced nothing may be silent for as long as nothing changes.
    if (!interval) return
    this.#timers.start('check', interval * 1.3, () => this.#check())
    this.#timers.start('silence', interval * 2.5, () => this.#stream.fail())
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

  /** After so long, up to half of it more or less; not before the server may be asked. */
  #reviveAfter(timer: 'revive' | 'streamless', ms: number): void {
    const own = ms * (0.5 + this.#environment.random())
    const wait = Math.max(own, this.#notBefore - this.#environment.now())
    this.#timers.start(timer, wait, () => this.#environment.page.isVisible() && this.#revive())
  }

  #revive(): void {
    if (this.#mayStream) this.#stream.openSilently()
  }

  /** Whether the stream may be asked for, and was there when it last was, or may be by now. */
  get #mayStream(): boolean {
    return this.#snapshot.access === 'granted' && !this.#timers.has('streamless')
  }

  // Polls.

  /** Asks at once, and each minute from then on, until the stream is confirmed. */
  #needPoll(): void {
    this.#isPolling = true
    const others = [...this.#followers].flatMap((follower) => follower.onPollNeeded ?? [])
    others.forEach((poll) => poll())
    if (others.length === 0) this.#pollNow()
  }

  #pollNow(): void {
    if (this.#snapshot.isConfirmed || this.#snapshot.access !== 'granted' || this.#isPaused) return
    const wait = this.#notBefore - this.#environment.now()
    this.#timers.start('poll', wait > 0 ? wait : POLL_MS, () => this.#pollNow())
    // A failure is told by what is known, and the next poll.
    if (wait <= 0 && this.#environment.page.isVisible()) this.poll().catch(() => {})
  }

  async #ask(asked: number, signal: AbortSignal): Promise<GuildStatus> {
    const { guildId, statusUrl = statusUrlOf(guildId), withCredentials, parse } = this.#source
    const how = { signal, withCredentials, parse, known: this.#answered, environment: this.#environment }
    try {
      this.#answered = await fetchGuildStatus(statusUrl, guildId, how)
      const newest = this.#newest.afterAnswer(this.#answered.status, asked)
      const wasOut = this.#snapshot.access !== 'granted'
      this.#learn(newest)
      if (wasOut && this.#unwatch) this.#connect()
      this.#isAnswered = true
      return newest
    } catch (error) {
      this.#isAnswered = false
      if (error instanceof GuildStatusError) this.#refused(error)
      else if (error instanceof ParseError) this.#report(error)
      throw error
    }
  }

  #refused({ status, retryAfterMs }: GuildStatusError): void {
    if (retryAfterMs !== undefined) this.#notBefore = this.#environment.now() + retryAfterMs
    if (status === 401) return this.#leave('signed-out')
    if (status === 403) return this.#leave('forbidden')
    if (status === 404) return this.#pollOnly()
    const mayWait = !this.#snapshot.isConfirmed && this.#unwatch && this.#mayStream
    if (mayWait && retryAfterMs !== undefined) this.#stream.openAfter(retryAfterMs)
  }

  #leave(access: Access): void {
    const isNews = this.#snapshot.access !== access
    this.#lose()
    this.#timers.cancel('revive', 'poll')
    this.#become({ access })
    this.#stream.giveUp()
    if (isNews && access === 'signed-out') for (const follower of [...this.#followers]) follower.onUnauthorized?.()
  }

  /** There is no stream here, so it is not asked for again soon, or while there is no status either. */
  #pollOnly(): void {
    this.#timers.cancel('revive')
    this.#stream.giveUp()
    this.#reviveAfter('streamless', STREAMLESS_MS)
  }

  // The page.

  #pageChanged(change: PageChange): void {
    if (change === 'hidden') return this.#timers.start('pause', PAUSE_MS, () => this.#pause())
    if (change === 'hide') return this.#pause()
    this.#timers.cancel('pause')
    this.#countDown()
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
    this.#timers.cancel('revive', 'poll')
    if (this.#mayStream) this.#stream.pause()
  }

  /** Timers stand still while the machine sleeps, and are slow while a page is hidden; the clock is not. */
  #wake(): void {
    const interval = this.#hello?.snapshotIntervalMs
    if (!interval) return
    const silence = this.#environment.now() - this.#heard
    if (silence > interval * 2.5) this.#connect()
    else if (silence > interval * 1.3) this.#check()
  }

  // What is known.

  /** Somebody has said how the guild is. */
  #learn(status: GuildStatus, more: Partial<GuildStatusSnapshot> = {}): void {
    const known = this.#snapshot.status
    let { before } = this.#snapshot
    if (status.reason !== RESTARTED) {
      before = undefined
    } else if (known && known.reason !== RESTARTED) {
      before = known
      this.#timers.start('restart', RESTART_MS, () => this.#become({ before: undefined }))
    }
    this.#become({ status, before, access: 'granted', isLost: false, confirmedAt: this.#environment.now(), ...more })
    this.#countDown()
  }

  /** From now on, it is too long after two polls. */
  #countDown(): void {
    if (!this.#unwatch) return
    const due = this.#environment.now() + LOST_MS
    this.#timers.start('lost', LOST_MS, () => {
      // It begins again when the page is seen.
      if (!this.#environment.page.isVisible()) return
      if (this.#environment.now() - due > SLEPT_MS) this.#countDown()
      else this.#become({ isLost: !this.#snapshot.isConfirmed })
    })
  }

  #become(change: Partial<GuildStatusSnapshot>): void {
    const keys = Object.keys(change) as (keyof GuildStatusSnapshot)[]
    if (keys.every((key) => change[key] === this.#snapshot[key])) return
    this.#snapshot = { ...this.#snapshot, ...change }
    for (const follower of [...this.#followers]) follower.onChange()
  }
}
