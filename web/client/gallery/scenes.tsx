import type { ReactNode } from 'react'
import { UNKNOWN, type GuildStatusSnapshot } from '../dist/core/snapshot.js'
import type { GuildStatus } from '../dist/core/status.js'
import { BotStatus } from '../dist/react/index.js'
import { BotStatusView } from '../dist/react/status/BotStatusView.js'
import { lookOfSnapshot } from '../dist/core/look.js'

/** A state, and what it looks like. */
export interface Scene {
  name: string
  shown: ReactNode
}

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()

/** The form that has the status already. */
export const CONTROLLED: Scene[] = [
  { name: 'connecting', shown: <BotStatus healthy={false} connectionState="connecting" /> },
  { name: 'online', shown: <BotStatus healthy lastHeartbeat={ago(0)} version="1.4.2" /> },
  { name: 'offline', shown: <BotStatus healthy={false} lastHeartbeat={ago(5)} version="1.4.2" /> },
  { name: 'offline-never-seen', shown: <BotStatus healthy={false} /> },
  { name: 'offline-disconnected', shown: <BotStatus healthy={false} connectionState="disconnected" /> },
  { name: 'error', shown: <BotStatus healthy={false} connectionState="error" /> },
]

const ONLINE: GuildStatus = {
  guildId: '81384788765712384',
  healthy: true,
  state: 'online',
  reason: null,
  lastHeartbeat: ago(0),
  version: '1.4.2',
  since: ago(600),
  shard: { id: 3, count: 16 },
  revision: '1795378677.4711',
}
const down = { healthy: false, lastHeartbeat: ago(5) }
const LIVE: GuildStatusSnapshot = { ...UNKNOWN, connectionState: 'connected', isConfirmed: true, confirmedAt: Date.now(), frames: 1 }
const POLLS: GuildStatusSnapshot = { ...LIVE, connectionState: 'error', isConfirmed: false }

function guild(name: string, status: Partial<GuildStatus> | undefined, snapshot: Partial<GuildStatusSnapshot> = {}): Scene {
  const known = status && { ...ONLINE, ...status }
  const seen = { ...LIVE, ...snapshot, status: known }
  return { name, shown: <BotStatusView look={lookOfSnapshot(seen)} onReconnect={() => {}} /> }
}

function offline(reason: string): Scene {
  return guild(`guild-offline-${reason.replaceAll('_', '-')}`, { ...down, state: 'offline', reason })
}

/** The form that follows a guild. */
export const GUILD: Scene[] = [
  guild('guild-connecting', undefined, UNKNOWN),
  guild('guild-online', {}),
  guild('guild-reconnecting', { state: 'reconnecting', reason: 'resuming' }),
  ...['heartbeat_timeout', 'goodbye', 'fatal', 'starting', 'gateway_disconnected'].map(offline),
  guild('guild-maintenance', {
    ...down,
    state: 'maintenance',
    reason: 'goodbye',
    expectedBack: new Date(Date.now() + 130_000).toISOString(),
  }),
  guild('guild-discord-outage', { healthy: false, state: 'unavailable', reason: 'discord_outage', lastHeartbeat: ago(0) }),
  guild('guild-never-seen', { healthy: false, state: 'unknown', reason: 'never_seen', lastHeartbeat: '' }),
  guild('guild-server-restarted', { state: 'unknown', reason: 'server_restarted' }),
  guild('guild-server-suspended', { state: 'unknown', reason: 'server_suspended' }),
  guild('guild-upstream-unreachable', { ...down, state: 'unknown', reason: 'upstream_unreachable' }),
  guild('guild-online-polling', {}, POLLS),
  guild('guild-offline-polling', { ...down, state: 'offline', reason: 'heartbeat_timeout' }, POLLS),
  guild('guild-waiting', undefined, { ...UNKNOWN, connectionState: 'error' }),
  guild('guild-lost', {}, { ...POLLS, isLost: true }),
  guild('guild-signed-out', {}, { ...POLLS, access: 'signed-out' }),
  guild('guild-forbidden', {}, { ...POLLS, access: 'forbidden' }),
]

/** The word from before the server's restart, which stays for a moment, or here for as long as the page. */
export const MUTED = guild('guild-muted', { state: 'unknown', reason: 'server_restarted' }, { before: ONLINE })
