import { StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { BotStatus, type ConnectionState } from '../dist/react/index.js'
import { CONTROLLED, GUILD, MUTED, type Scene } from './scenes.js'

function Figure({ name, shown }: Scene) {
  return (
    <figure id={name}>
      <div className="shown">{shown}</div>
      <figcaption>{name}</figcaption>
    </figure>
  )
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
  return (
    <>
      <h2>With what a page knows</h2>
      <div className="states">
        {CONTROLLED.map((scene) => <Figure key={scene.name} {...scene} />)}
        <Figure name="retried" shown={<Retried />} />
      </div>
      <h2>With the id of a guild</h2>
      <div className="states">
        {[...GUILD, MUTED].map((scene) => <Figure key={scene.name} {...scene} />)}
      </div>
    </>
  )
}

createRoot(document.getElementById('gallery')!).render(
  <StrictMode>
    <Gallery />
  </StrictMode>,
)
