/** The request to the guildpulse server. It is made of the parts given here and of nothing else of the browser's. */

/** How long the server may take until it begins to answer, in milliseconds. */
const HEAD_DEADLINE_MS = 10_000

/** Nothing is there to ask: a fault of whoever set this up. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
}

/** The server took too long. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

// Not every runtime has it, and this package has no types of any.
declare const process: { env: Record<string, string | undefined> } | undefined

/**
 * The address of this path on the server.
 *
 * @throws {ConfigurationError} when it is not known where the server is.
 */
export function upstreamUrl(path: string, base: string | undefined): URL {
  const set = base ?? (typeof process === 'undefined' ? undefined : process.env.GUILDPULSE_URL)
  const help = 'set GUILDPULSE_URL to the address of the guildpulse server, as http://127.0.0.1:3001'
  if (!set) throw new ConfigurationError(`it is not known where the guildpulse server is; ${help}`)
  // What was set may hold a password, so it is not repeated.
  if (!URL.canParse(set)) throw new ConfigurationError(`what was set is no URL; ${help}`)
  const url = new URL(set)
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new ConfigurationError(`what was set is not only a scheme, a host and a path; ${help}`)
  }
  url.pathname = url.pathname.replace(/\/+$/, '') + path
  return url
}

/** What of a request is asked of the server. */
export interface UpstreamRequest {
  method: 'GET' | 'HEAD'
  token: string
  accept: string
  ifNoneMatch: string | null
  /** When it ends, so does the connection to the server, also in the middle of a stream. */
  signal: AbortSignal
}

/**
 * Asks the server. Resolves as soon as it begins to answer.
 *
 * @throws {DeadlineError} when it does not do so within 10 s.
 */
export async function askUpstream(url: URL, request: UpstreamRequest): Promise<Response> {
  const { method, token, accept, ifNoneMatch, signal } = request
  const ended = new AbortController()
  const end = () => ended.abort(signal.reason)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  const deadline = setTimeout(() => ended.abort(new DeadlineError('no answer within 10 s')), HEAD_DEADLINE_MS)
  try {
    return await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept,
        ...(ifNoneMatch !== null && { 'if-none-match': ifNoneMatch }),
      },
      cache: 'no-store',
      // The token is for this server and no other.
      redirect: 'manual',
      signal: ended.signal,
    })
  } finally {
    clearTimeout(deadline)
  }
}
