/**
 * Route handlers between a browser and a guildpulse server.
 *
 * A viewer's token is in a cookie that scripts cannot read; here it becomes the header that the server takes. The
 * answer is passed on only if it is what was asked for. Nothing of Next.js is used: what has Request and Response will do.
 */
import { credentialOf } from './credential.js'
import { problem } from './problem.js'
import { askUpstream, ConfigurationError, DeadlineError, upstreamUrl } from './upstream.js'

/** Where the server is. */
export interface RouteOptions {
  /** Its address, as `http://127.0.0.1:3001`; that of the environment variable `GUILDPULSE_URL` if left out. */
  url?: string | undefined
}

/** What a framework gives a handler beside the request. */
export interface RouteContext {
  params: Promise<{ guildId: string }> | { guildId: string }
}

/** The exports of a `route.ts`. */
export interface Route {
  GET: (request: Request, context: RouteContext) => Promise<Response>
}

/**
 * The status of a guild as JSON, in `app/api/guilds/[guildId]/status/route.ts`:
 *
 * ```ts
 * import { statusRoute } from 'guildpulse/next'
 * export const { GET } = statusRoute()
 * ```
 */
export function statusRoute(options: RouteOptions = {}): Route {
  return route(STATUS, options)
}

/**
 * The status of a guild as an event stream, in `app/api/guilds/[guildId]/status/stream/route.ts`:
 *
 * ```ts
 * import { streamRoute } from 'guildpulse/next'
 * export const { GET } = streamRoute()
 * ```
 */
export function streamRoute(options: RouteOptions = {}): Route {
  return route(STREAM, options)
}

interface Kind {
  path: (guildId: string) => string
  type: string
  isConditional: boolean
  headers: Record<string, string>
}

const STATUS: Kind = {
  path: (guildId) => `/api/v1/guilds/${guildId}/status`,
  type: 'application/json',
  isConditional: true,
  headers: { 'cache-control': 'private, no-cache', vary: 'cookie' },
}

const STREAM: Kind = {
  path: (guildId) => `/api/v1/guilds/${guildId}/status/stream`,
  type: 'text/event-stream',
  isConditional: false,
  // The second is for nginx, which else keeps what it has until a buffer is full.
  headers: { 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' },
}

/** What the server says to the viewer, and not to us. */
const PASSED_ON: ReadonlySet<number> = new Set([400, 401, 403, 404, 429, 503])

function route(kind: Kind, options: RouteOptions): Route {
  return {
    async GET(request, context) {
      const credential = credentialOf(request.headers)
      if ('refused' in credential) return problem(credential.refused)
      const { guildId } = await context.params
      if (typeof guildId !== 'string' || !/^\d{1,20}$/.test(guildId)) return problem('invalid_guild_id')
      try {
        const answer = await askUpstream(upstreamUrl(kind.path(guildId), options.url), {
          // Next.js answers HEAD by GET; a stream that nobody reads would stay open.
          method: request.method === 'HEAD' ? 'HEAD' : 'GET',
          token: credential.token,
          accept: kind.type,
          ifNoneMatch: kind.isConditional ? request.headers.get('if-none-match') : null,
          signal: request.signal,
        })
        return await passOn(answer, kind)
      } catch (error) {
        return failure(error, request.signal)
      }
    },
  }
}

async function passOn(answer: Response, kind: Kind): Promise<Response> {
  const { status, body } = answer
  if (status === 200 && essence(answer) === kind.type) {
    return new Response(body, { status, headers: { ...kind.headers, ...some(answer, 'content-type', 'etag') } })
  }
  if (status === 304 && kind.isConditional) {
    return new Response(null, { status, headers: { ...kind.headers, ...some(answer, 'etag') } })
  }
  if (PASSED_ON.has(status)) {
    const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
    return new Response(body, { status, headers: { ...headers, ...some(answer, 'content-type', 'retry-after') } })
  }
  // It may be a stream without an end.
  await body?.cancel()
  console.error(`guildpulse: the server answered ${status} with ${essence(answer) || 'no type'}, not ${kind.type}`)
  return problem('upstream_invalid')
}

function failure(error: unknown, signal: AbortSignal): Response {
  // Nobody waits for this answer, and nothing is wrong.
  if (signal.aborted) return new Response(null, { status: 499 })
  if (error instanceof ConfigurationError) {
    console.error(`guildpulse: ${error.message}`)
    return problem('internal')
  }
  const { message, cause } = error as Error
  console.error(`guildpulse: the server could not be asked: ${message}${cause instanceof Error ? `: ${cause.message}` : ''}`)
  return problem(error instanceof DeadlineError ? 'upstream_timeout' : 'upstream_unreachable')
}

/** The content type without its parameters. */
function essence(answer: Response): string {
  return (answer.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
}

/** Of these headers those that are there. */
function some(answer: Response, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (answer.headers.has(name) ? [[name, answer.headers.get(name)!]] : [])))
}
