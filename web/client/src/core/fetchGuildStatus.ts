import { browser, type Environment } from './environment.js'
import { readGuildStatus, type GuildStatus } from './status.js'

/** How long an answer may take, in milliseconds. */
export const POLL_DEADLINE_MS = 10_000

/** An answer that is not a status. */
export class GuildStatusError extends Error {
  override name = 'GuildStatusError'
  /** The status code of HTTP. */
  readonly status: number
  /** When it may be asked again, if the answer says so. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, retryAfterMs?: number) {
    super(`the status of a guild was answered with ${status}`)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** A status as it was answered, with what asks for it only if it has changed. */
export interface Answered {
  status: GuildStatus
  etag: string | undefined
}

/** How to ask. */
export interface FetchGuildStatusOptions {
  signal?: AbortSignal | undefined
  withCredentials?: boolean | undefined
  headers?: Record<string, string> | undefined
  /** What was answered before; it is the answer again if nothing has changed. */
  known?: Answered | undefined
  /** Reads the JSON of another server; throws what is wrong with it. */
  parse?: ((data: unknown, guildId: string) => GuildStatus) | undefined
  environment?: Environment | undefined
}

/**
 * Asks for the status of a guild once, for at most 10 s.
 *
 * @throws {GuildStatusError} when the answer is not 200.
 * @throws {ParseError} when it is no status of this guild.
 */
export async function fetchGuildStatus(
  url: string,
  guildId: string,
  { signal, withCredentials, headers, known, parse, environment = browser }: FetchGuildStatusOptions = {},
): Promise<Answered> {
  const deadline = new AbortController()
  const abort = () => deadline.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  const cancel = environment.after(POLL_DEADLINE_MS, () =>
    deadline.abort(new DOMException('there was no answer within 10 s', 'TimeoutError')),
  )
  try {
    const response = await environment.fetch(url, {
      headers: { accept: 'application/json', ...headers, ...(known?.etag && { 'if-none-match': known.etag }) },
      credentials: withCredentials ? 'include' : 'same-origin',
      // The browser's cache would hide a 304, and must not answer instead of the server.
      cache: 'no-store',
      signal: deadline.signal,
    })
    if (response.status === 304 && known) return known
    if (!response.ok) throw new GuildStatusError(response.status, retryAfter(response, environment.now()))
    const status = readGuildStatus(await response.text(), guildId, parse)
    return { status, etag: response.headers.get('etag') ?? undefined }
  } finally {
    cancel()
    signal?.removeEventListener('abort', abort)
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3) in milliseconds: seconds or a date. */
function retryAfter(response: Response, now: number): number | undefined {
  const text = response.headers.get('retry-after')
  if (!text) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
