'use client'

import { useSyncExternalStore } from 'react'

/** How often what is said of times is said anew. */
const TICK_MS = 30_000

const listeners = new Set<() => void>()
let ticks = 0
let timer: ReturnType<typeof setInterval> | undefined

/** One timer for all times of a page, and none while there are none. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    ticks += 1
    listeners.forEach((each) => each())
  }, TICK_MS)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/**
 * Renders again now and then. Says whether the clock may be read: not on a server, nor at the first render of its
 * markup in the browser, whose clock and time zone are others.
 */
export function useTick(): boolean {
  return useSyncExternalStore(subscribe, () => ticks, () => -1) >= 0
}
