'use client'

import { BotStatus, useGuildStatusRealtime } from 'guildpulse'

export function Panel({ guildId }: { guildId: string }) {
  // Both look at one stream.
  const { data: status, connectionState } = useGuildStatusRealtime(guildId)
  return (
    <>
      <BotStatus guildId={guildId} />
      {status && (
        <dl>
          <dt>State</dt>
          <dd>
            {status.state} since <time dateTime={status.since}>{status.since}</time>
          </dd>
          <dt>Version</dt>
          <dd>{status.version ?? 'unknown'}</dd>
          <dt>Shard</dt>
          <dd>{status.shard ? `${status.shard.id} of ${status.shard.count}` : 'unknown'}</dd>
          <dt>Stream</dt>
          <dd>{connectionState}</dd>
        </dl>
      )}
    </>
  )
}
