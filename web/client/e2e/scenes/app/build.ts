/** Bundles the page once for all scenes. It imports what was built, as for the registry. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** What the site serves, by its path. */
    files: Record<string, string>
  }
}

const HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A dashboard</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/styles.css"><div id="app"></div><script src="/app.js"></script></html>`

export default async function (project: TestProject): Promise<void> {
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, 'main.tsx')],
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
  })
  project.provide('files', {
    '/': HTML,
    '/elsewhere': HTML.replace(/<script.*script>/, '<p>Another page</p>'),
    '/app.js': bundle.outputFiles[0]!.text,
    '/styles.css': readFileSync(join(import.meta.dirname, '../../../styles.css'), 'utf8'),
  })
}
