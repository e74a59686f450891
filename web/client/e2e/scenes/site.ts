/** A site as many have one: it serves a page, and hands `/api/` on to its backend. */
import { once } from 'node:events'
import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CleanUp } from '../../../e2e/child.ts'
import type { Answer } from '../../fixtures/servers/base.ts'

/** What was asked of the backend's routes. */
export interface Asked {
  what: 'stream' | 'status'
  /** Milliseconds since 1970. */
  at: number
  url: string
  isOpen: boolean
  /** How many others of this address were open then. */
  beside: number
}

export class Site {
  /** The credential that the next page gets, as after a sign-in. */
  token: string | undefined
  /** What answers instead of the backend. */
  instead: { stream?: Answer | undefined; status?: Answer | undefined } = {}
  readonly asked: Asked[] = []
  /** What is served, by its path. */
  files: Record<string, string>
  readonly #server: Server
  readonly #backend: () => string

  private constructor(files: Record<string, string>, backend: () => string) {
    this.files = files
    this.#backend = backend
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  /** Serves these files, by their paths, and what the backend says. */
  static async open(cleanUp: CleanUp, files: Record<string, string>, backend: () => string): Promise<Site> {
    const site = new Site(files, backend)
    site.#server.listen(0, '127.0.0.1')
    await once(site.#server, 'listening')
    cleanUp(() => {
      site.#server.close()
      site.#server.closeAllConnections()
    })
    return site
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many streams are open, and of which addresses. */
  get open(): Asked[] {
    return this.all('stream').filter(({ isOpen }) => isOpen)
  }

  /** What was asked of this kind, the first one first. */
  all(what: Asked['what']): Asked[] {
    return this.asked.filter((asked) => asked.what === what)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? ''
    const route = /^\/api\/.*\/status(\/stream)?$/.exec(url)
    if (!route) return this.#serve(url, response)
    const what = route[1] ? 'stream' : 'status'
    const beside = this.asked.filter((other) => other.isOpen && other.url === url).length
    const asked: Asked = { what, at: Date.now(), url, isOpen: true, beside }
    this.asked.push(asked)
    response.on('close', () => (asked.isOpen = false))
    const answer = this.instead[what]
    if (answer) answer(request, response)
    else this.#handOn(request, response)
  }

  #serve(url: string, response: ServerResponse): void {
    const path = new URL(url, 'http://site').pathname
    const file = this.files[path]
    if (file === undefined) return void response.writeHead(404).end()
    const kind = { js: 'text/javascript', css: 'text/css' }[path.split('.')[1] ?? ''] ?? 'text/html'
    response.setHeader('content-type', `${kind}; charset=utf-8`)
    if (this.token) response.setHeader('set-cookie', `auth_token=${this.token}; Path=/; HttpOnly; SameSite=Lax`)
    response.end(file)
  }

  /** Passes both ways what comes, as it comes, and closes one side with the other. */
  #handOn(request: IncomingMessage, response: ServerResponse): void {
    const upstream = ask(new URL(request.url!, this.#backend()), { method: request.method!, headers: request.headers, agent: false })
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      response.flushHeaders()
      answer.on('data', (bytes) => response.write(bytes))
      answer.on('end', () => response.end())
      answer.on('error', () => response.destroy())
    })
    upstream.on('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    })
    response.on('close', () => upstream.destroy())
    request.pipe(upstream)
  }
}

/** An answer that does not depend on what is asked. */
export function always(status: number, headers: Record<string, string> = {}, body = ''): Answer {
  return (_, response) => void response.writeHead(status, headers).end(body)
}
