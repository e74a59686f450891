import { StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { UNKNOWN, type GuildStatusSnapshot } from '../dist/core/snapshot.js'
import type { GuildStatus } from '../dist/core/status.js'
import { BotStatus, type ConnectionState } from '../dist/react/index.js'
import { GuildView } from '../dist/react/status/GuildBotStatus.js'
import { CONTROLLED, GUILD, type Scene } from './scenes.js'

function Figure({ name, shown }: Scene) {
  return (
    <figure id={name}>
      <div className="shown">{shown}</div>
      <figcaption>{name}</figcaption>
    </figure>
  )
}

/** The word from before the server's restart, which stays for a moment, or here for as long as the page. */
function Muted({ online }: { online: GuildStatus }) {
  const [status, setStatus] = useState(online)
  useEffect(() => {
    const restart = () => setStatus({ ...online, state: 'unknown', reason: 'server_restarted' })
    window.addEventListener('restart', restart)
    return () => window.removeEventListener('restart', restart)
  }, [])
  const snapshot: GuildStatusSnapshot = { ...UNKNOWN, status, connectionState: 'connected', isConfirmed: true }
  return <GuildView snapshot={snapshot} onReconnect={() => {}} />
}

/** A retry that takes its time and fails. */
function Retried() {
  const [connectionState, setState] = useState<ConnectionState>('error')
  useEffect(() => {
    if (connectionState !== 'connecting') return
    const timer = setTimeout(() => setState('error'), 3000)
    return () => clearTimeout(timer)
  }, [connectionState])
  return <BotStatus healthy={false} connectionState={connectionState} onReconnect={() => setState('connecting')} />
}

function Gallery() {
  const time = new Date().toISOString()
  const shard = { id: 3, count: 16 }
  const online = { guildId: '1', healthy: true, state: 'online', reason: null, version: null, since: time, shard, revision: '1.1' } as const
  return (
    <>
      <h2>With what a page knows</h2>
      <div className="states">
        {CONTROLLED.map((scene) => <Figure key={scene.name} {...scene} />)}
        <Figure name="retried" shown={<Retried />} />
      </div>
      <h2>With the id of a guild</h2>
      <div className="states">
        {GUILD.map((scene) => <Figure key={scene.name} {...scene} />)}
        <Figure name="guild-muted" shown={<Muted online={online} />} />
      </div>
    </>
  )
}

createRoot(document.getElementById('gallery')!).render(
  <StrictMode>
    <Gallery />
  </StrictMode>,
)
