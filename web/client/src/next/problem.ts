/** What is wrong with a request or behind it (RFC 9457), in the words of PROTOCOL.md where it has them. */
export type Problem =
  | 'invalid_guild_id'
  | 'missing_credential'
  | 'invalid_credential'
  | 'origin_not_allowed'
  | 'internal'
  | 'upstream_unreachable'
  | 'upstream_invalid'
  | 'upstream_timeout'

const PROBLEMS: Record<Problem, [status: number, title: string, detail: string]> = {
  invalid_guild_id: [400, 'Bad Request', 'a guild id is a string of 1 to 20 digits'],
  missing_credential: [401, 'Unauthorized', 'send the cookie auth_token'],
  invalid_credential: [401, 'Unauthorized', 'there has to be one cookie auth_token, and a token in it'],
  origin_not_allowed: [403, 'Forbidden', 'a cookie counts only when it is sent from this site'],
  internal: [500, 'Internal Server Error', 'a fault of ours; the log says which'],
  upstream_unreachable: [502, 'Bad Gateway', 'the status server could not be reached'],
  upstream_invalid: [502, 'Bad Gateway', 'the status server did not answer as a status server does'],
  upstream_timeout: [504, 'Gateway Timeout', 'the status server did not answer in time'],
}

/** The answer that says so. Nothing of the request or of the log is in it. */
export function problem(code: Problem): Response {
  const [status, title, detail] = PROBLEMS[code]
  const body = JSON.stringify({ type: 'about:blank', title, status, code, detail })
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })
}
