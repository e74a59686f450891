/** Builds and packs the package once, as for the registry. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The path of the packed package. */
    tarball: string
  }
}

export default function pack(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'guildpulse-pack-'))
  const root = join(import.meta.dirname, '..')
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--foreground-scripts=false', '--pack-destination', folder], { cwd: root, encoding: 'utf8' }),
  )
  project.provide('tarball', join(folder, packed.filename))
  return () => rmSync(folder, { recursive: true })
}
