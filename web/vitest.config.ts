import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{e2e,page}/**/*.test.ts'],
    // Each test drives a browser and a server of its own, and mostly waits.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 30_000,
  },
})
