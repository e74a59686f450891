/** Puts a world in place of the browser's network, for the time of a test. */
import { cleanup } from '@testing-library/react'
import { afterEach, beforeEach, vi } from 'vitest'
import { World } from '../world.js'

/** The world of the test that runs. Its clock is that of the fake timers. */
export function inAWorld(): () => World {
  let world: World
  beforeEach(() => {
    world = new World()
    const open = world.openEventSource!
    vi.stubGlobal(
      'EventSource',
      function EventSource(url: string, init?: EventSourceInit) {
        return open(url, init?.withCredentials ?? false)
      },
    )
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => world.fetch(url, init))
    vi.useFakeTimers()
    vi.spyOn(Math, 'random').mockReturnValue(0)
  })
  afterEach(async () => {
    cleanup()
    // The last who leaves a connection closes it a tick later.
    await vi.advanceTimersByTimeAsync(0)
    vi.useRealTimers()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })
  return () => world
}
