// A peer of the benchmark: the server that one would write by hand with Node. It takes the beats of the
// benchmark and sends the bytes of guildpulse, but authenticates nobody and keeps nothing.
import { createServer } from 'node:http'

const HEAD = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  Vary: 'Origin',
  Connection: 'keep-alive',
}
// Who does not read is given up instead of being kept statuses for.
const MOST_UNSENT_BYTES = 64 * 1024
const BACKLOG = 4096

const boot = Math.floor(Date.now() / 1000)
const viewers = new Map()
let seq = 0
let version = null
let since = new Date().toISOString()

function hello() {
  const now = new Date().toISOString()
  const data = { protocol: 1, snapshotIntervalMs: 15000, retryMs: 2417, now, boot }
  return `retry: 2417\n\nevent: hello\ndata: ${JSON.stringify(data)}\n\n`
}

function status(guildId) {
  const revision = `${boot}.${seq}`
  const data = {
    guildId,
    healthy: true,
    state: 'online',
    reason: null,
    lastHeartbeat: since,
    version,
    since,
    shard: { id: 0, count: 1 },
    revision,
  }
  return `id: ${revision}\ndata: ${JSON.stringify(data)}\n\n`
}

function watch(guild, response) {
  response.writeHead(200, HEAD)
  response.write(hello() + status(guild))
  const responses = viewers.get(guild) ?? new Set()
  viewers.set(guild, responses.add(response))
  response.on('close', () => {
    responses.delete(response)
    if (responses.size === 0 && viewers.get(guild) === responses) viewers.delete(guild)
  })
}

function publish() {
  for (const [guild, responses] of viewers) {
    const frame = Buffer.from(status(guild))
    for (const response of responses) {
      if (response.writableLength > MOST_UNSENT_BYTES) response.destroy()
      else response.write(frame)
    }
  }
}

function beat(request, response) {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (text) => (body += text))
  request.on('end', () => {
    const said = JSON.parse(body)
    if (said.version !== version) {
      version = said.version
      since = new Date().toISOString()
      seq += 1
      publish()
    }
    const answer = JSON.stringify({ accepted: said.shards.length })
    response.writeHead(200, { 'Content-Length': answer.length }).end(answer)
  })
}

function listen(handle) {
  const server = createServer(handle)
  // The benchmark keeps its connection of beats for longer than the usual 5 s.
  server.keepAliveTimeout = 60_000
  return new Promise((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => resolve(`127.0.0.1:${server.address().port}`))
  })
}

const open = await listen((request, response) => watch(request.url.split('/')[4], response))
const admin = await listen(beat)
// The words of guildpulse, so that all are started the same way.
console.error(JSON.stringify({ admin, message: `listening on http://${open}` }))
