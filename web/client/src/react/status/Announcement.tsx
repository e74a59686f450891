'use client'

import { useEffect, useRef, useState } from 'react'

/** How long a state has to last to be worth saying. */
const SETTLED_MS = 1500
/** How long the word stays. It has been taken up by then, and who walks through the page shall not find it twice. */
const SPOKEN_MS = 1000

/** Says the word once for each state that lasts, but not for the first: who has just come reads it anyway. */
export function Announcement({ of, word }: { of: string; word: string }) {
  const [said, say] = useState('')
  const settled = useRef('')

  useEffect(() => {
    if (of === settled.current) return
    const timer = setTimeout(() => {
      if (settled.current) say(word)
      settled.current = of
    }, SETTLED_MS)
    return () => clearTimeout(timer)
  }, [of])

  useEffect(() => {
    if (!said) return
    const timer = setTimeout(say, SPOKEN_MS, '')
    return () => clearTimeout(timer)
  }, [said])

  return (
    <span data-part="announcement" role="status">
      {said}
    </span>
  )
}
