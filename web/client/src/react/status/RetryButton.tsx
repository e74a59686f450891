'use client'

import { useEffect } from 'react'

interface RetryButtonProps {
  label: string
  /** It was pressed, and stays only because it has the focus. */
  isBusy: boolean
  /** Stands for the whole component, all of which may be pressed, or for what is said beside it. */
  of: 'whole' | 'detail'
  onRetry: (() => void) | undefined
  onFocusChange: (hasFocus: boolean) => void
}

/** It is never disabled: who has pressed it would lose the focus to nowhere. */
export function RetryButton({ label, isBusy, of, onRetry, onFocusChange }: RetryButtonProps) {
  // A button that goes is not told that it has lost the focus.
  useEffect(() => () => onFocusChange(false), [onFocusChange])
  return (
    <button
      type="button"
      data-part="retry"
      data-of={of}
      aria-disabled={isBusy || undefined}
      aria-busy={isBusy || undefined}
      onClick={() => {
        if (!isBusy) onRetry?.()
      }}
      onFocus={() => onFocusChange(true)}
      onBlur={() => onFocusChange(false)}
    >
      {label}
    </button>
  )
}
