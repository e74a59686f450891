/** An app that uses all that the package declares, to be compiled with the peers of each folder. Nothing of it runs. */
import { dehydrate, HydrationBoundary, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { BotStatus, useGuildStatusRealtime, type BotStatusProps, type GuildStatus } from 'guildpulse'
import { followGuildStatus } from 'guildpulse/core'
import { statusRoute, streamRoute, type Route } from 'guildpulse/next'
import { guildStatusKey, guildStatusOptions } from 'guildpulse/query'
import { BotStatus as BotStatusAlone, useSSE, type ConnectionState } from 'guildpulse/react'
import type { ReactNode } from 'react'

const client = new QueryClient()
export const known: GuildStatus | undefined = client.getQueryData(guildStatusKey('1'))
export const routes: Route[] = [statusRoute(), streamRoute()]
export const leave: () => void = followGuildStatus({ guildId: '1' }, { onChange: () => {} }).leave

export function Log({ children }: { children: ReactNode }) {
  const { connectionState, reconnect } = useSSE<{ line: string }>('/log', { onMessage: ({ line }) => line.length })
  const state: ConnectionState = connectionState
  return <button onClick={reconnect}>{state}{children}</button>
}

export function Status({ guildId }: { guildId: string | null }) {
  const { data, connectionState, refetch } = useGuildStatusRealtime(guildId, { onUnauthorized: () => {} })
  const { data: version } = useGuildStatusRealtime(guildId, { select: ({ version }) => version })
  const asked = useQuery(guildStatusOptions('1', { headers: { authorization: 'Bearer …' } }))
  const shown: GuildStatus | undefined = data ?? asked.data
  const of: string | null | undefined = version
  return <p onClick={() => void refetch()}>{shown?.state} {of} {connectionState}</p>
}

export const Wrapped = (props: BotStatusProps) => <BotStatusAlone {...props} className="wrapped" />

export const app = (
  <QueryClientProvider client={client}>
    <HydrationBoundary state={dehydrate(client)}>
      <Log><Status guildId="1" /></Log>
      <BotStatus guildId="1" announce={false} labels={{ online: 'Da' }} />
      <Wrapped healthy lastHeartbeat={undefined} connectionState="error" onReconnect={() => {}} />
    </HydrationBoundary>
  </QueryClientProvider>
)
