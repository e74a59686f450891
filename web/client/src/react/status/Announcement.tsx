'use client'

import { useEffect, useState } from 'react'
import { useLatest } from '../useLatest.js'

/** How long a state has to last to be worth saying. */
const SETTLED_MS = 1500
/** How long the word stays. It has been taken up by then, and who walks through the page shall not find it twice. */
const SPOKEN_MS = 1000

/** Says the word once for each state that lasts, but not for the first: who has just come reads it anyway. */
export function Announcement({ of, word }: { of: string; word: string }) {
  const [said, setSaid] = useState('')
  const [settled, setSettled] = useState<string>()
  const latest = useLatest(word)

  useEffect(() => {
    if (of === settled) return
    const timer = setTimeout(() => {
      setSettled(of)
      if (settled !== undefined) setSaid(latest.current)
    }, SETTLED_MS)
    return () => clearTimeout(timer)
  }, [of, settled])

  useEffect(() => {
    if (!said) return
    const timer = setTimeout(() => setSaid(''), SPOKEN_MS)
    return () => clearTimeout(timer)
  }, [said])

  return (
    <span data-part="announcement" role="status">
      {said}
    </span>
  )
}
