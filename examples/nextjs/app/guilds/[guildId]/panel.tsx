'use client'

import { useGuildStatusRealtime } from 'guildpulse'

export function Panel({ guildId }: { guildId: string }) {
  const { data: status, error, connectionState, reconnect } = useGuildStatusRealtime(guildId)
  if (!status) return <p role="status">{error ? error.message : 'Connecting...'}</p>
  return (
    <>
      {/* <BotStatus guildId={guildId} /> goes here. */}
      <p role="status">{status.healthy ? 'Online' : `${status.state}: ${status.reason}`}</p>
      <p>
        Version {status.version ?? 'unknown'}, last beat {status.lastHeartbeat ?? 'never'}, stream {connectionState}.
      </p>
      <button type="button" onClick={reconnect}>
        Reconnect
      </button>
    </>
  )
}
