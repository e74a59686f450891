import { compareRevisions, type GuildStatus } from './status.js'

/**
 * The newest status that was heard, of a stream and of polls that overtake each other.
 *
 * Within one run of the server its revisions tell. Between runs, and with other servers, a stream is right, because it
 * has an order; and an answer only if it was asked for after the last event of the stream.
 */
export class Newest {
  #status: GuildStatus | undefined
  #events = 0

  get status(): GuildStatus | undefined {
    return this.#status
  }

  /** How many statuses came on streams: a clock that nobody sets. */
  get events(): number {
    return this.#events
  }

  /** A status came on a stream; says whether it counts. The first of a connection always does. */
  offerEvent(status: GuildStatus, isFirst: boolean): boolean {
    this.#events += 1
    const order = this.#compare(status)
    if (!isFirst && order !== undefined && order < 0) return false
    this.#status = status
    return true
  }

  /** An answer came to what was asked after so many {@link events}; says whether it counts. */
  offerAnswer(status: GuildStatus, asked: number): boolean {
    const order = this.#compare(status)
    const isLate = asked < this.#events
    if (order === undefined || order === 0 ? isLate : order < 0) return false
    this.#status = status
    return true
  }

  #compare(status: GuildStatus): number | undefined {
    return this.#status && compareRevisions(status.revision, this.#status.revision)
  }
}
