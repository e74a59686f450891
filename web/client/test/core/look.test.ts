import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { lookOfSnapshot } from '../../src/core/index.js'
import { UNKNOWN, type GuildStatusSnapshot } from '../../src/core/snapshot.js'
import type { GuildStatus } from '../../src/core/status.js'

const read = (name: string): GuildStatus =>
  JSON.parse(readFileSync(new URL(`../../../../protocol/fixtures/status-${name}.json`, import.meta.url), 'utf8'))
const ONLINE = read('online')
const OFFLINE = read('offline-goodbye')
const LIVE: Partial<GuildStatusSnapshot> = { connectionState: 'connected', isConfirmed: true, frames: 7 }
const look = (snapshot: Partial<GuildStatusSnapshot>) => lookOfSnapshot({ ...UNKNOWN, ...snapshot })

test.each<[string, Partial<GuildStatusSnapshot>, object]>([
  ['nothing yet', {}, { state: 'connecting', retry: false }],
  ['nothing, and no stream', { connectionState: 'error' }, { state: 'connecting', retry: 'retry' }],
  ['a bot that lives', { ...LIVE, status: ONLINE }, { state: 'online', pulse: 7, retry: false, lastHeartbeat: undefined }],
  ['one that does not', { ...LIVE, status: OFFLINE }, { state: 'offline', pulse: 0, lastHeartbeat: OFFLINE.lastHeartbeat }],
  ['a known status, while connecting', { status: ONLINE }, { state: 'online', retry: false }],
  ['a known status, without a stream', { status: ONLINE, connectionState: 'error' }, { state: 'online', retry: 'retryLive' }],
  ['a known status that is too old', { status: ONLINE, connectionState: 'error', isLost: true }, { state: 'error', retry: 'retry' }],
  ['one more attempt then', { status: ONLINE, isLost: true }, { state: 'connecting', retry: false }],
  ['who may not see it', { status: ONLINE, access: 'forbidden', isLost: true }, { state: 'forbidden', retry: 'retry' }],
  ['a restart of the server', { ...LIVE, status: read('unknown-server-restarted'), before: ONLINE }, { state: 'online', isMuted: true, pulse: 0 }],
])('%s is seen as what it is', (_, snapshot, expected) => {
  expect(look(snapshot)).toMatchObject(expected)
})

test('what a newer server says beside it is not taken for ours', () => {
  const status = { ...OFFLINE, checkDiscord: true, retry: 'retry' } as GuildStatus
  expect(look({ ...LIVE, status })).toMatchObject({ retry: false })
  expect(look({ ...LIVE, status }).checkDiscord).toBeUndefined()
})
