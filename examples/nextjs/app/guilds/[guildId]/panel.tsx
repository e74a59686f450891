'use client'

import { BotStatus, useGuildStatusRealtime } from 'guildpulse'

export function Panel({ guildId }: { guildId: string }) {
  const { data: status, error, connectionState, reconnect } = useGuildStatusRealtime(guildId)
  return (
    <>
      {/* The component follows the guild by itself, on the same stream as the hook. */}
      <BotStatus guildId={guildId} />
      {status ? (
        <p>
          {status.state}, version {status.version ?? 'unknown'}, last beat {status.lastHeartbeat ?? 'never'}, stream {connectionState}.
        </p>
      ) : (
        <p>{error ? error.message : 'Nothing is known yet.'}</p>
      )}
      <button type="button" onClick={reconnect}>
        Reconnect
      </button>
    </>
  )
}
