import { useInsertionEffect, useRef } from 'react'

/** What was given at the last render that counted, for callbacks that come later. */
export function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value)
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}
