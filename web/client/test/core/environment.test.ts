import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { browser } from '../../src/core/environment.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test.each([2 ** 31, 1e12, Number.MAX_VALUE, Infinity])('what is to come after %d ms does not come at once', async (ms) => {
  // A browser takes what is too long for it as nothing, and a server may say when to come back.
  const callback = vi.fn()
  const cancel = browser.after(ms, callback)
  await vi.advanceTimersByTimeAsync(86_400_000)
  expect(callback).not.toHaveBeenCalled()
  cancel()
  expect(vi.getTimerCount()).toBe(0)
})
