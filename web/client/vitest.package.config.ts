import { defineConfig } from 'vitest/config'

/**
 * What others get: the packed package, looked at (2 s, in `npm run check`) and installed into fresh apps. All of it takes
 * one to two minutes on two cores, most of it for Next.js, and needs the registry and a Chromium.
 */
export default defineConfig({
  test: {
    include: ['packaging/**/*.test.ts'],
    globalSetup: 'packaging/pack.ts',
    // Two builds at once would only wait for each other.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
})
