/** A cable between a browser and a site, of which a test is the other end: loopback TCP that can be lost. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { CleanUp } from '../../../e2e/child.ts'

/**
 * `up`: all goes through. `down`: what is open is reset, and so is what is opened. `silent`: nothing is closed, and
 * nothing gets through in either direction, as when a router has forgotten a connection.
 */
export type Cable = 'up' | 'down' | 'silent'

export class Network {
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  #state: Cable = 'up'

  private constructor(server: Server) {
    this.#server = server
  }

  /** Leads from a port of its own to that port. */
  static async lay(cleanUp: CleanUp, port: number): Promise<Network> {
    const server = createServer()
    const network = new Network(server)
    server.on('connection', (near) => network.#carry(near, port))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanUp(() => {
      server.close()
      network.cut()
    })
    return network
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resets what is open. What is opened from then on goes through if the cable is up. */
  cut(): void {
    for (const pair of this.#pairs) for (const end of pair) end.resetAndDestroy()
  }

  become(state: Cable): void {
    this.#state = state
    if (state === 'down') this.cut()
    for (const pair of this.#pairs) for (const end of pair) if (state === 'silent') end.pause(); else end.resume()
  }

  #carry(near: Socket, port: number): void {
    if (this.#state === 'down') {
      near.resetAndDestroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    this.#pairs.add(pair)
    for (const [from, to] of [pair, [far, near] as const]) {
      from.setNoDelay(true)
      from.on('data', (bytes) => void to.write(bytes))
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#pairs.delete(pair)
        to.destroy()
      })
      if (this.#state === 'silent') from.pause()
    }
  }
}
