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

  /** How many statuses came on streams: a clock that nobody sets. */
  get events(): number {
    return this.#events
  }

  /** A status came on a stream; returns the newest. The first of a connection always is. */
  afterEvent(status: GuildStatus, isFirst: boolean): GuildStatus {
    this.#events += 1
    const order = this.#compare(status)
    if (this.#status && !isFirst && order !== undefined && order < 0) return this.#status
    return (this.#status = status)
  }

  /** An answer came to what was asked after so many {@link events}; returns the newest. */
  afterAnswer(status: GuildStatus, asked: number): GuildStatus {
    const isLate = asked < this.#events
    const order = this.#compare(status) || (isLate ? -1 : 1)
    return this.#status && order < 0 ? this.#status : (this.#status = status)
  }

  #compare(status: GuildStatus): number | undefined {
    return this.#status && compareRevisions(status.revision, this.#status.revision)
  }
}
