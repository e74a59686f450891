'use client'

import { useEffect, useState } from 'react'
import type { GuildStatus } from '../../core/status.js'

/** How long the word from before a restart of the server is shown. Bots are heard again within that time. */
const MUTED_MS = 5000

/**
 * The status to be shown. After the server's own restart that is the last one from before, muted, for a while: the
 * server knows nothing yet, but most likely nothing has changed.
 */
export function useShownStatus(status: GuildStatus | undefined): { status: GuildStatus | undefined; isMuted: boolean } {
  const [last, setLast] = useState<GuildStatus>()
  const [isOver, setOver] = useState(false)
  const isRestarted = status?.state === 'unknown' && status.reason === 'server_restarted'
  if (status && !isRestarted && status !== last) setLast(status)

  useEffect(() => {
    if (!isRestarted) return
    const timer = setTimeout(() => setOver(true), MUTED_MS)
    return () => {
      clearTimeout(timer)
      setOver(false)
    }
  }, [isRestarted])

  return isRestarted && last && !isOver ? { status: last, isMuted: true } : { status, isMuted: false }
}
