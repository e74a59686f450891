import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi, type MockInstance } from 'vitest'
import { statusRoute, streamRoute } from '../../src/next/index.js'
import { ask, context, listen, moment, soon } from './upstream.js'

const fixture = (name: string) => readFileSync(new URL(`../../../../protocol/fixtures/${name}`, import.meta.url), 'utf8')
const GUILD = '81384788765712384'
const ROUTES = { status: statusRoute, stream: streamRoute }
const both = Object.entries(ROUTES)

let log: MockInstance<typeof console.error>
beforeEach(() => {
  log = vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

/** The answer is this problem, and says nothing but what a problem says. */
async function expectProblem(answer: Response, status: number, code: string) {
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const problem = await answer.json()
  expect(problem).toMatchObject({ type: 'about:blank', status, code })
  expect(Object.keys(problem)).toEqual(['type', 'title', 'status', 'code', 'detail'])
}

describe('what reaches the server', () => {
  test.each(both)('%s: the cookie becomes a bearer token, and nothing else of the request goes on', async (name, route) => {
    const upstream = await listen((_, response) => response.end())
    const headers = {
      authorization: 'Bearer of-the-browser',
      'x-forwarded-for': '1.2.3.4',
      'x-admin': 'yes',
      'last-event-id': '1.2',
      referer: 'https://dashboard.example/',
      'user-agent': 'a-browser',
      'if-none-match': 'W/"1.2-3"',
    }
    await route({ url: upstream.url }).GET(ask({ headers }), context(GUILD))
    const [request] = upstream.requests
    expect(request!.url).toBe(`/api/v1/guilds/${GUILD}/${name === 'status' ? 'status' : 'status/stream'}`)
    expect(request!.headers.authorization).toBe('Bearer a.b-c_d')
    // That is how fetch says `no-store`.
    expect(request!.headers['cache-control']).toBe('no-cache')
    const sent = Object.keys(request!.headers).sort()
    // What fetch adds by itself, and what the JSON route is asked conditionally with.
    const own = ['accept', 'accept-encoding', 'accept-language', 'authorization', 'cache-control', 'connection', 'host']
    const more = ['pragma', 'sec-fetch-mode', 'user-agent', ...(name === 'status' ? ['if-none-match'] : [])]
    expect(sent.filter((header) => ![...own, ...more].includes(header))).toEqual([])
    expect(JSON.stringify(request!.rawHeaders)).not.toMatch(/theme|other|of-the-browser|a-browser|1\.2\.3\.4|dashboard/)
  })

  test('an address with a path keeps it', async () => {
    const upstream = await listen((_, response) => response.end())
    await statusRoute({ url: `${upstream.url}/pulse//` }).GET(ask(), context(GUILD))
    expect(upstream.requests[0]!.url).toBe(`/pulse/api/v1/guilds/${GUILD}/status`)
  })

  test('params may be a plain object, as before Next.js 15 and elsewhere', async () => {
    const upstream = await listen((_, response) => response.end())
    await statusRoute({ url: upstream.url }).GET(ask(), { params: { guildId: GUILD } })
    expect(upstream.requests).toHaveLength(1)
  })

  test('a cookie that a framework has percent-encoded is the token again', async () => {
    const upstream = await listen((_, response) => response.end())
    const request = ask({ headers: { cookie: 'auth_token=a%2Bb%2Fc%3D%3D' } })
    await statusRoute({ url: upstream.url }).GET(request, context(GUILD))
    expect(upstream.requests[0]!.headers.authorization).toBe('Bearer a+b/c==')
  })

  test.each([
    '', '../1', '..%2f1', '1/../2', '1%2f2', '1%00', '1\n', ' 1', '1?x=1', '1#x', '１', '-1', '1e3', '0x1', 'abc',
    '1'.repeat(21), '1;2', '.', '..', '%2e%2e', '1\r\nx-admin: yes', '//evil.example', '\\1',
  ])('a guild %j is 400, and the server is not asked', async (guild) => {
    const upstream = await listen((_, response) => response.end())
    for (const [, route] of both) {
      await expectProblem(await route({ url: upstream.url }).GET(ask(), context(guild)), 400, 'invalid_guild_id')
    }
    expect(upstream.requests).toEqual([])
  })

  test('what a catch-all route gives is no guild', async () => {
    const list = { params: { guildId: ['1'] as unknown as string } }
    await expectProblem(await statusRoute({ url: 'http://127.0.0.1:1' }).GET(ask(), list), 400, 'invalid_guild_id')
  })

  test.each([
    ['theme=dark', 'missing_credential'],
    ['xauth_token=a', 'missing_credential'],
    ['AUTH_TOKEN=a', 'missing_credential'],
    ['auth_token=', 'invalid_credential'],
    ['auth_token=a; auth_token=b', 'invalid_credential'],
    ['auth_token=a b', 'invalid_credential'],
    ['auth_token=a, Basic b', 'invalid_credential'],
    ['auth_token=a%0d%0ax-admin:%20yes', 'invalid_credential'],
    ['auth_token=a%0ax-admin:yes', 'invalid_credential'],
    ['auth_token=a%00', 'invalid_credential'],
    ['auth_token=%zz', 'invalid_credential'],
    ['auth_token=%E2%82%AC', 'invalid_credential'],
  ])('the cookies %j are 401 %s, and the server is not asked', async (cookie, code) => {
    const upstream = await listen((_, response) => response.end())
    for (const [, route] of both) {
      // Authentication comes before validation.
      const answer = await route({ url: upstream.url }).GET(ask({ headers: { cookie } }), context('..'))
      await expectProblem(answer, 401, code)
    }
    expect(upstream.requests).toEqual([])
  })

  test.each([
    ['cross-site', 403],
    ['same-site', 403],
    ['same-origin', 200],
    ['none', 200],
  ])('a cookie that comes %s is %d', async (site, status) => {
    const upstream = await listen((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
    const answer = await statusRoute({ url: upstream.url }).GET(ask({ headers: { 'sec-fetch-site': site } }), context(GUILD))
    expect(answer.status).toBe(status)
    expect(upstream.requests).toHaveLength(status === 200 ? 1 : 0)
  })

  test.each(both)('%s: a redirect is not followed', async (_, route) => {
    const elsewhere = await listen((_, response) => response.end())
    const upstream = await listen((_, response) => response.writeHead(307, { location: elsewhere.url }).end())
    await expectProblem(await route({ url: upstream.url }).GET(ask(), context(GUILD)), 502, 'upstream_invalid')
    expect(elsewhere.requests).toEqual([])
  })

  test('HEAD asks with HEAD, so that no stream stays open for nobody', async () => {
    const upstream = await listen((_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end())
    const answer = await streamRoute({ url: upstream.url }).GET(ask({ method: 'HEAD' }), context(GUILD))
    expect(answer.status).toBe(200)
    expect(upstream.requests[0]!.method).toBe('HEAD')
  })
})

describe('the stream', () => {
  test('is passed on byte for byte and at once, with the headers that keep proxies from holding it', async () => {
    const head = fixture('stream-head.sse')
    const more = fixture('status.sse')
    let send = (_: string) => {}
    const upstream = await listen((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'set-cookie': 'a=b', 'x-internal': 'yes' })
      response.write(head)
      send = (text) => response.write(text)
    })
    const answer = await streamRoute({ url: upstream.url }).GET(ask(), context(GUILD))
    expect(Object.fromEntries(answer.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    let received = ''
    const until = async (text: string) => {
      while (received !== text) received += (await soon(reader.read(), 'more of the stream')).value
    }
    await until(head)
    send(more)
    await until(head + more)
    await reader.cancel()
  })

  test.each(['before the answer', 'in the middle of the stream'])('the browser leaves %s, and the connection to the server ends', async (when) => {
    const arrived = moment()
    const closed = moment()
    const upstream = await listen((request, response) => {
      request.socket.on('close', () => closed.comes())
      if (when !== 'before the answer') response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n')
      arrived.comes()
    })
    const leaving = new AbortController()
    const answering = streamRoute({ url: upstream.url }).GET(ask({ signal: leaving.signal }), context(GUILD))
    await arrived.came('the request')
    const reader = when === 'before the answer' ? undefined : (await answering).body!.getReader()
    await reader?.read()
    const end = reader?.read().catch((error: Error) => error.name)
    leaving.abort()
    await closed.came('the end of the connection')
    if (reader) expect(await end).toBe('AbortError')
    else expect((await answering).status).toBe(499)
    expect(log).not.toHaveBeenCalled()
  })

  test('a runtime that only stops reading ends the connection to the server too', async () => {
    const closed = moment()
    const upstream = await listen((request, response) => {
      request.socket.on('close', () => closed.comes())
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n')
    })
    const answer = await streamRoute({ url: upstream.url }).GET(ask(), context(GUILD))
    await answer.body!.cancel()
    await closed.came('the end of the connection')
  })

  test.each(['text/html', 'application/json', 'text/event-streamx', 'text/plain', undefined])(
    'a 200 of the type %s is 502 and not called a stream, and its connection ends',
    async (type) => {
      const closed = moment()
      const upstream = await listen((request, response) => {
        request.socket.on('close', () => closed.comes())
        // It would go on for ever.
        response.writeHead(200, type === undefined ? {} : { 'content-type': type }).write('<!doctype html>')
      })
      await expectProblem(await streamRoute({ url: upstream.url }).GET(ask(), context(GUILD)), 502, 'upstream_invalid')
      await closed.came('the end of the connection')
      expect(log).toHaveBeenCalledOnce()
    },
  )
})

describe('the status', () => {
  test('is passed on with its ETag', async () => {
    const upstream = await listen((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json', etag: 'W/"1.2-3"', 'set-cookie': 'a=b' }).end(fixture('status-online.json')),
    )
    const answer = await statusRoute({ url: upstream.url }).GET(ask(), context(GUILD))
    expect(Object.fromEntries(answer.headers)).toEqual({
      'content-type': 'application/json',
      etag: 'W/"1.2-3"',
      'cache-control': 'private, no-cache',
      vary: 'cookie',
    })
    expect(await answer.text()).toBe(fixture('status-online.json'))
  })

  test('asked conditionally, an unchanged one is 304', async () => {
    const upstream = await listen((request, response) =>
      response.writeHead(request.headers['if-none-match'] === 'W/"1.2-3"' ? 304 : 500, { etag: 'W/"1.2-3"' }).end(),
    )
    const answer = await statusRoute({ url: upstream.url }).GET(ask({ headers: { 'if-none-match': 'W/"1.2-3"' } }), context(GUILD))
    expect(answer.status).toBe(304)
    expect(answer.headers.get('etag')).toBe('W/"1.2-3"')
  })

  test('a page or a stream instead of it is 502', async () => {
    for (const type of ['text/html', 'text/event-stream']) {
      const upstream = await listen((_, response) => response.writeHead(200, { 'content-type': type }).end('x'))
      await expectProblem(await statusRoute({ url: upstream.url }).GET(ask(), context(GUILD)), 502, 'upstream_invalid')
    }
  })
})

describe('what goes wrong', () => {
  test.each([
    [400, 'problem-invalid-guild-id.json'],
    [401, 'problem-expired-credential.json'],
    [403, 'problem-guild-not-allowed.json'],
    [404, 'problem-not-found.json'],
    [429, 'problem-too-many-viewers.json'],
    [503, 'problem-too-many-streams.json'],
  ])('%d is passed on with its body and Retry-After', async (status, name) => {
    const headers = { 'content-type': 'application/problem+json', 'retry-after': '7', 'www-authenticate': 'Bearer' }
    const upstream = await listen((_, response) => response.writeHead(status, headers).end(fixture(name)))
    for (const [, route] of both) {
      const answer = await route({ url: upstream.url }).GET(ask(), context(GUILD))
      expect(answer.status).toBe(status)
      expect(await answer.text()).toBe(fixture(name))
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(answer.headers.get('retry-after')).toBe('7')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.has('www-authenticate')).toBe(false)
    }
  })

  test.each([201, 204, 205, 302, 418, 500, 501])('%d is 502', async (status) => {
    const upstream = await listen((_, response) => response.writeHead(status, { 'x-internal': 'yes' }).end())
    for (const [, route] of both) {
      await expectProblem(await route({ url: upstream.url }).GET(ask(), context(GUILD)), 502, 'upstream_invalid')
    }
  })

  test('304 to a stream is 502', async () => {
    const upstream = await listen((_, response) => response.writeHead(304).end())
    await expectProblem(await streamRoute({ url: upstream.url }).GET(ask(), context(GUILD)), 502, 'upstream_invalid')
  })

  test('a server that is not there is 502, and the log says why', async () => {
    const nobody = createServer().listen(0, '127.0.0.1')
    await once(nobody, 'listening')
    const { port } = nobody.address() as { port: number }
    nobody.close()
    await once(nobody, 'close')
    const url = `http://127.0.0.1:${port}`
    await expectProblem(await streamRoute({ url }).GET(ask(), context(GUILD)), 502, 'upstream_unreachable')
    expect(log.mock.calls).toEqual([[expect.stringMatching(/could not be asked: .*ECONNREFUSED/)]])
    expect(log.mock.calls[0]![0]).not.toContain('a.b-c_d')
  })

  test('a server that does not begin to answer within 10 s is 504', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const arrived = moment()
      const upstream = await listen(() => arrived.comes())
      const answering = streamRoute({ url: upstream.url }).GET(ask(), context(GUILD))
      await arrived.happened
      vi.advanceTimersByTime(10_000)
      await expectProblem(await answering, 504, 'upstream_timeout')
    } finally {
      vi.useRealTimers()
    }
  })

  test('a stream that has begun is under no deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const upstream = await listen((_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n')
      })
      const answer = await streamRoute({ url: upstream.url }).GET(ask(), context(GUILD))
      expect(vi.getTimerCount()).toBe(0)
      await answer.body!.cancel()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('GUILDPULSE_URL', () => {
  test('says where the server is, and is read when a request comes', async () => {
    const { GET } = statusRoute()
    const upstream = await listen((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
    vi.stubEnv('GUILDPULSE_URL', upstream.url)
    expect((await GET(ask(), context(GUILD))).status).toBe(200)
  })

  test.each([undefined, '', 'localhost:3001', 'not a url', 'ftp://127.0.0.1', 'http://user:secret@127.0.0.1', 'http://secret@127.0.0.1', 'http://127.0.0.1/?a=secret'])(
    'as %j, the answer is 500 without a detail, and the log says what to set',
    async (url) => {
      vi.stubEnv('GUILDPULSE_URL', url)
      vi.stubEnv('NEXT_PUBLIC_GUILDPULSE_URL', 'http://127.0.0.1:1')
      const answer = await statusRoute().GET(ask(), context(GUILD))
      const body = await answer.clone().text()
      await expectProblem(answer, 500, 'internal')
      expect(body).not.toContain('GUILDPULSE')
      expect(log.mock.calls).toEqual([[expect.stringContaining('set GUILDPULSE_URL')]])
      expect(log.mock.calls[0]![0]).not.toContain('secret')
    },
  )
})
