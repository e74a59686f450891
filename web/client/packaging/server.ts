/** A server that says of a guild what guildpulse says, from the fixtures of the protocol. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'

export const GUILD = '81384788765712384'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../../../protocol/fixtures', name), 'utf8')
/** The same moment on the stream and in the answer. */
const STATUS = JSON.parse(fixture('status-online.json'))

export class StatusServer {
  readonly requests: IncomingMessage[] = []
  readonly #server: Server
  readonly #streams = new Set<ServerResponse>()

  /** `other` answers what is no route of guildpulse. */
  constructor(other: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => void response.writeHead(404).end()) {
    this.#server = createServer((request, response) => {
      const route = /\/guilds\/\d+\/status(\/stream)?$/.exec(request.url ?? '')
      if (!route) return other(request, response)
      this.requests.push(request)
      if (!route[1]) return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(STATUS))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`event: hello\ndata: ${JSON.stringify(HELLO)}\n\ndata: ${JSON.stringify(STATUS)}\n\n`)
      this.#streams.add(response)
      response.on('close', () => this.#streams.delete(response))
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  /** How many streams are open. */
  get open(): number {
    return this.#streams.size
  }

  /** Sends all streams a later status with these fields. */
  send(fields: object): void {
    const [boot, seq] = STATUS.revision.split('.')
    const later = { ...STATUS, ...fields, revision: `${boot}.${Number(seq) + 1}` }
    for (const stream of this.#streams) stream.write(`data: ${JSON.stringify(later)}\n\n`)
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

const HELLO = { protocol: 1, snapshotIntervalMs: 15_000, retryMs: 1000, now: '2026-11-22T20:07:01.120Z', boot: 1795378677 }
