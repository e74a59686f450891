import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vitest/config'

/** `minimum` or `newest`: which peers the tests run with; those that are installed here if it is not set. */
const { PEERS } = process.env

/** Takes the peers, and what holds on to them, from the folder of this name instead of `node_modules`. */
function peers(name: string): Plugin {
  const folder = join(import.meta.dirname, 'peers', name, 'package.json')
  return {
    name: 'peers',
    enforce: 'pre',
    resolveId(id, _importer, options) {
      if (!/^(react|react-dom|@tanstack\/react-query|@testing-library\/react)(\/|$)/.test(id)) return null
      return this.resolve(id, folder, { ...options, skipSelf: true })
    },
  }
}

export default defineConfig({
  plugins: PEERS ? [peers(PEERS)] : [],
  test: { include: ['test/**/*.test.{ts,tsx}', 'e2e/*.test.ts'], testTimeout: 20_000 },
})
