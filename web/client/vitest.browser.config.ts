import { defineConfig } from 'vitest/config'

/** Scenes in real browsers, with the real server behind them. Most of their time they wait, so they do it together. */
export default defineConfig({
  test: {
    include: ['e2e/scenes/**/*.test.ts'],
    globalSetup: 'e2e/scenes/app/build.ts',
    sequence: { concurrent: true },
    maxConcurrency: 12,
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
})
