/** A real HTTP server in the place of guildpulse, and a request as a browser sends it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** How long something may take that is to happen, in milliseconds. */
export const SOON = 5000

export interface Upstream {
  url: string
  /** All that was asked. */
  requests: IncomingMessage[]
}

/** Listens on a free port until the test ends. */
export async function listen(answer: RequestListener): Promise<Upstream> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** The parameters of a route with this guild. */
export const context = (guildId: string) => ({ params: Promise.resolve({ guildId }) })

/** A request with the cookie, on whose path nothing depends. */
export function ask(init: RequestInit & { headers?: Record<string, string> } = {}): Request {
  return new Request('https://dashboard.example/api/guilds/1/status?x=1', {
    ...init,
    headers: { cookie: 'theme=dark; auth_token=a.b-c_d; other=1', ...init.headers },
  })
}

/** Rejects if this takes too long. */
export function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not soon: ${what}`)), SOON)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Something that happens, and can be waited for. */
export function moment() {
  let comes = () => {}
  const happened = new Promise<void>((resolve) => (comes = resolve))
  return { comes: () => comes(), happened, came: (what: string) => soon(happened, what) }
}
