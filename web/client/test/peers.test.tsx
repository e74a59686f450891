// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQueryClient } from '@tanstack/react-query'
import { render } from '@testing-library/react'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { version } from 'react'
import { version as domVersion } from 'react-dom'
import { expect, test } from 'vitest'

const { PEERS } = process.env
const read = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, '..', path), 'utf8'))

test('the tests run with the peers that were asked for, and with one React', () => {
  const asked = PEERS ? read(`peers/${PEERS}/package.json`).dependencies.react : read('node_modules/react/package.json').version
  expect([version, domVersion]).toEqual([asked, asked])
  // A context of another copy would not be found.
  const client = new QueryClient()
  const Probe = () => <p>{useQueryClient() === client ? 'found' : 'another'}</p>
  const { container } = render(<QueryClientProvider client={client}><Probe /></QueryClientProvider>)
  expect(container.textContent).toBe('found')
})

test('the folder of the oldest peers holds the oldest that the package allows', () => {
  const { react, '@tanstack/react-query': query } = read('package.json').peerDependencies
  const oldest = read('peers/minimum/package.json').dependencies
  expect(react).toMatch(`^${oldest.react} `)
  expect(query).toBe(`^${oldest['@tanstack/react-query']}`)
  // And their types.
  expect(oldest['@types/react'].split('.').slice(0, 2)).toEqual(oldest.react.split('.').slice(0, 2))
})
