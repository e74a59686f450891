/** A page with React in it, in a world where tests are the network, and time and the eye of the viewer are theirs. */
import { act, cleanup } from '@testing-library/react'
import { afterEach, beforeEach, vi } from 'vitest'
import { World, type Answer, type Source } from './world.js'

export class Stage {
  #world = new World()
  #visibility: DocumentVisibilityState = 'visible'

  constructor() {
    beforeEach(() => this.#begin())
    afterEach(async () => {
      cleanup()
      // Whom nobody follows any more goes then.
      await vi.advanceTimersByTimeAsync(0)
      vi.useRealTimers()
      vi.restoreAllMocks()
      vi.unstubAllGlobals()
    })
  }

  #begin(): void {
    this.#world = new World()
    this.#visibility = 'visible'
    vi.useFakeTimers()
    vi.spyOn(Math, 'random').mockReturnValue(0)
    vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => this.#visibility)
    vi.stubGlobal('EventSource', function (url: string, { withCredentials }: EventSourceInit) {
      return stage.#world.openEventSource?.(url, withCredentials ?? false)
    })
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => this.#world.fetch(url, init))
    const stage = this
  }

  get sources(): Source[] {
    return this.#world.sources
  }

  get source(): Source {
    return this.#world.source
  }

  /** The connections that are not closed. */
  get open(): Source[] {
    return this.#world.open
  }

  get requests(): World['requests'] {
    return this.#world.requests
  }

  /** From now on every request is answered this, at once. */
  answer(answer: Answer): void {
    this.#world.answers = () => answer
  }

  /** Answers the newest request. */
  async answerLast(answer: Answer): Promise<void> {
    await this.does(() => this.requests.at(-1)?.answer(answer))
    await this.pass(0)
  }

  /** Does it, and lets React follow. */
  async does(action: () => void): Promise<void> {
    await act(async () => action())
    await this.pass(0)
  }

  async pass(ms: number): Promise<void> {
    await act(() => vi.advanceTimersByTimeAsync(ms))
  }

  /** The page is shown or hidden. */
  async turn(visibility: DocumentVisibilityState): Promise<void> {
    this.#visibility = visibility
    await this.does(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })))
  }
}
