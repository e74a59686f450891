import type { Problem } from './problem.js'

const COOKIE = 'auth_token'
/** What may stand after `Bearer` (RFC 6750, section 2.1), so that nothing else gets into the header. */
const TOKEN = /^[\w.~+/-]+=*$/

/**
 * The viewer's token: that of the one cookie of its name.
 *
 * The server lets a cookie count only when it is sent from its own site. Here it becomes a header, which counts always,
 * so what the browser says of that has to be looked at here.
 */
export function credentialOf(headers: Headers): { token: string } | { refused: Problem } {
  const site = headers.get('sec-fetch-site') ?? 'none'
  if (site !== 'same-origin' && site !== 'none') return { refused: 'origin_not_allowed' }
  const values = (headers.get('cookie') ?? '').split(';').flatMap((pair) => {
    const [name, ...value] = pair.split('=')
    return name?.trim() === COOKIE ? [value.join('=').trim()] : []
  })
  if (values.length === 0) return { refused: 'missing_credential' }
  const token = values.length === 1 ? decode(values[0]!) : ''
  return TOKEN.test(token) ? { token } : { refused: 'invalid_credential' }
}

/** Frameworks write cookies percent-encoded. Of a token only the `+`, `/` and `=` are changed by that. */
function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return ''
  }
}
