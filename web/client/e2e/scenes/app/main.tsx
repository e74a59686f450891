/** The page that the scenes look at: what a dashboard makes of the package, with a record of what came of it. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode, useState } from 'react'
import { flushSync } from 'react-dom'
import { createRoot } from 'react-dom/client'
import { BotStatus, useGuildStatusRealtime, useSSE } from '../../../dist/index.js'
import { record, rendered, watch } from './record.js'
import { readSnakeCase } from './snakeCase.js'

/** What the page shows. */
export type Shown =
  /** The component and the hook, of one guild, so often; of a server that says it in this way. */
  | { panel: string; times?: number; dialect?: 'snake_case' }
  /** The state of a guild only. */
  | { state: string }
  /** The hook for any server. */
  | { sse: string; maxRetries?: number; initialRetryDelay?: number; throwOn?: string }
  | { nothing: true }

declare global {
  interface Window {
    /** Shows something else, and has rendered it when it returns. */
    show: (shown: Shown) => void
    client: QueryClient
  }
}

function Panel({ panel: guildId, dialect }: Extract<Shown, { panel: string }>) {
  rendered('Panel')
  const told = {
    onParseError: (error: Error) => void record.parseErrors.push(error.message),
    onUnauthorized: () => void (record.unauthorized += 1),
  }
  const parse = dialect && ((data: unknown) => readSnakeCase(data))
  const { data, connectionState, reconnect } = useGuildStatusRealtime(guildId, { ...told, parse })
  return (
    <>
      <BotStatus guildId={guildId} parse={parse} />
      <p id="connection">{connectionState}</p>
      <pre id="data">{JSON.stringify(data)}</pre>
      <button id="reconnect" onClick={reconnect}>
        reconnect
      </button>
    </>
  )
}

/** Renders for the state alone. */
function State({ guildId }: { guildId: string }) {
  rendered('State')
  const { data, connectionState } = useGuildStatusRealtime(guildId, { select: ({ state }) => state })
  return (
    <>
      <p id="state">{data}</p>
      <p id="connection">{connectionState}</p>
    </>
  )
}

function Stream({ sse, throwOn, ...numbers }: Extract<Shown, { sse: string }>) {
  rendered('Stream')
  const { connectionState, reconnect } = useSSE<{ throw?: string }>(sse, {
    ...numbers,
    onMessage(data) {
      record.messages.push(data)
      if (throwOn !== undefined && data.throw === throwOn) throw new Error(throwOn)
    },
    onError: () => void (record.errors += 1),
    onParseError: (error) => void record.parseErrors.push(error.message),
  })
  return (
    <>
      <p id="connection">{connectionState}</p>
      <button id="reconnect" onClick={reconnect}>
        reconnect
      </button>
    </>
  )
}

function App({ first }: { first: Shown }) {
  const [shown, show] = useState(first)
  window.show = (next) => flushSync(() => show(next))
  if ('panel' in shown) return Array.from({ length: shown.times ?? 1 }, (_, index) => <Panel key={index} {...shown} />)
  if ('state' in shown) return <State guildId={shown.state} />
  if ('sse' in shown) return <Stream {...shown} />
  return null
}

const search = new URLSearchParams(location.search)
const first: Shown = JSON.parse(search.get('show') ?? '{"nothing":true}')
const app = document.getElementById('app')!
watch(app)
window.client = new QueryClient()
const page = (
  <QueryClientProvider client={window.client}>
    <App first={first} />
  </QueryClientProvider>
)
createRoot(app).render(search.has('strict') ? <StrictMode>{page}</StrictMode> : page)
