import { compareRevisions, type GuildStatus } from './status.js'

/**
 * The newest status that was heard, of a stream and of polls that overtake each other.
 *
 * Within one run of the server its revisions tell. Between runs, and with other servers, a stream is right, because it
 * has an order; and an answer only if it was asked for after the last event of the stream.
 */
export class Newest {
  #status: GuildStatus | undefined
  #heard = -Infinity

  /** A status came on a stream; returns the newest. The first of a connection always is. */
  afterEvent(status: GuildStatus, isFirst: boolean, now: number): GuildStatus {
    const order = this.#compare(status)
    if (this.#status && !isFirst && order !== undefined && order < 0) return this.#status
    this.#heard = now
    return (this.#status = status)
  }

  /** An answer came to what was asked at that time; returns the newest. */
  afterAnswer(status: GuildStatus, asked: number): GuildStatus {
    const isLate = asked <= this.#heard
    const order = this.#compare(status) || (isLate ? -1 : 1)
    return this.#status && order < 0 ? this.#status : (this.#status = status)
  }

  #compare(status: GuildStatus): number | undefined {
    return this.#status && compareRevisions(status.revision, this.#status.revision)
  }
}
