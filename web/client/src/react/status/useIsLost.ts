'use client'

import { useEffect, useState } from 'react'
import { POLL_MS } from '../../core/guildStatus.js'
import type { GuildStatusSnapshot } from '../../core/snapshot.js'

/** Two polls. */
const LOST_MS = 2 * POLL_MS
/** A timer that is later than this has slept with the machine. */
const SLEPT_MS = 5000

/**
 * Whether nothing was confirmed for two polls. The time in which the page is hidden or the machine sleeps does not
 * count: nobody polls then, and the first thing to be seen on return is not an alarm.
 */
export function useIsLost({ isConfirmed, confirmedAt }: GuildStatusSnapshot): boolean {
  const [isLost, setLost] = useState(false)

  useEffect(() => {
    if (isConfirmed) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const wait = (ms: number) => {
      const due = Date.now() + ms
      timer = setTimeout(() => (Date.now() - due > SLEPT_MS ? wait(LOST_MS) : setLost(true)), ms)
    }
    const turned = () => {
      clearTimeout(timer)
      if (document.visibilityState === 'visible') wait(LOST_MS)
    }
    if (document.visibilityState === 'visible') {
      wait(confirmedAt === undefined ? LOST_MS : Math.max(0, confirmedAt + LOST_MS - Date.now()))
    }
    document.addEventListener('visibilitychange', turned)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', turned)
      setLost(false)
    }
  }, [isConfirmed, confirmedAt])

  return isLost
}
