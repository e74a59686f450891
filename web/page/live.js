// The stream, by a plain EventSource.

/** @typedef {import('./words.js').Status} Status */

/**
 * @typedef {object} Listener
 * @property {(status: Status) => void} onStatus
 * @property {(offset: number) => void} onHello how far the server's clock is ahead of ours, in milliseconds
 * @property {() => void} onLost the connection is gone, and is being made again
 * @property {(status: number) => void} onRefused the server answers with this; it is not asked again
 */

/** A stream that is silent for longer than this many intervals of snapshots is dead, whatever the browser says. */
const SILENT_INTERVALS = 2.5
/** After how long it is asked again when the browser has given up. */
const AGAIN_MS = 3000
/** How long an answer may take. */
const PATIENCE_MS = 10_000

/**
 * Watches guilds until the returned function is called.
 * @param {string[]} guilds
 * @param {Listener} listener
 */
export function watch(guilds, listener) {
  const query = `guilds=${guilds.join(',')}`
  let interval = 15_000
  let heard = performance.now()
  let timer = 0
  let over = false
  /** @type {EventSource} */
  let source

  const open = () => {
    heard = performance.now()
    source = new EventSource(`/api/v1/streams?${query}`)
    source.addEventListener('hello', (event) => {
      const hello = JSON.parse(event.data)
      interval = hello.snapshotIntervalMs
      listener.onHello(Date.parse(hello.now) - Date.now())
    })
    source.onmessage = (event) => {
      heard = performance.now()
      listener.onStatus(JSON.parse(event.data))
    }
    source.onerror = () => {
      listener.onLost()
      // Otherwise the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) void explain()
    }
  }

  /** A browser does not say why a stream was refused. */
  const explain = async () => {
    source.close()
    const asked = source
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const answer = await fetch(`/api/v1/statuses?${query}`, { signal }).catch(() => null)
    if (over || asked !== source) return
    if (answer && [400, 401, 403].includes(answer.status)) {
      stop()
      listener.onRefused(answer.status)
    } else {
      // Not all pages at once, and not before the server means to.
      const wait = Number(answer?.headers.get('Retry-After') ?? 0) * 1000
      timer = setTimeout(open, Math.max(wait, AGAIN_MS) * (1 + Math.random() / 2))
    }
  }

  const watchdog = setInterval(() => {
    if (source.readyState !== EventSource.CLOSED && performance.now() - heard > SILENT_INTERVALS * interval) {
      source.close()
      listener.onLost()
      open()
    }
  }, 1000)

  const stop = () => {
    over = true
    source.close()
    clearTimeout(timer)
    clearInterval(watchdog)
  }
  open()
  return stop
}
