// The page: signing in, one guild large, its bot's shards below.

import * as demo from './demo.js'
import { element, shape } from './elements.js'
import { watch } from './live.js'
import * as tiles from './tiles.js'
import { duration, words } from './words.js'

/** @typedef {import('./words.js').Status} Status */
/** @typedef {{ demo: boolean, guildId: string | null, program: string, tokenFile: string | null }} Start */

/** On shard 0 of every bot of up to 16 shards: something to watch while nobody has named a server. */
const ANY_GUILD = String(720_720n << 22n)

/** @type {Status | undefined} */
let latest
/** How many shards are laid out. */
let laidOut = 0
/** How far the server's clock is ahead, in milliseconds. */
let offset = 0
/** The line that makes a first bot beat. */
let command = ''
let stop = () => {}

async function begin() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  // It is of no use to anybody any more, so it need not stand in the address.
  history.replaceState(null, '', location.pathname + location.search)
  if (code && !(await signIn(code))) {
    signedOut('This link has been used already. The server has printed the next one in its terminal.')
    return
  }
  await enter()
}

/** Shows what the caller may see. */
async function enter() {
  const answer = await fetch('/page/start').catch(() => null)
  if (answer?.status === 401) return signedOut('')
  if (!answer || answer.status >= 500) return void setTimeout(enter, 3000)
  element('signed-out').hidden = true
  element('choose').hidden = false
  // A viewer is no operator, but sees what its token lists.
  /** @type {Start | null} */
  const start = answer.ok ? await answer.json() : null
  element('demo').hidden = !start?.demo
  command = start ? commandOf(start) : ''
  element('command').textContent = command
  const asked = new URLSearchParams(location.search).get('guild') ?? ''
  const guild = /^[1-9][0-9]{0,19}$/.test(asked) ? asked : (start?.guildId ?? ANY_GUILD)
  if (guild !== ANY_GUILD) /** @type {HTMLInputElement} */ (element('guild-id')).value = guild
  laidOut = 0
  follow(guild, [])
}

/** @param {string} credential a code of a link, or a token */
async function signIn(credential) {
  const headers = { Authorization: `Bearer ${credential}` }
  const answer = await fetch('/page/session', { method: 'POST', headers }).catch(() => null)
  return answer?.ok ?? false
}

/** @param {string} why */
function signedOut(why) {
  stop()
  latest = undefined
  if (why) element('why').textContent = why
  for (const id of ['guild', 'demo', 'shards', 'listening', 'choose']) element(id).hidden = true
  element('signed-out').hidden = false
  element('connection').textContent = ''
}

/**
 * Watches the guild, and others for the tiles.
 * @param {string} guild
 * @param {string[]} others
 */
function follow(guild, others) {
  stop()
  stop = watch([guild, ...others.filter((other) => other !== guild)], {
    onHello: (ahead) => (offset = ahead),
    onStatus: (status) => {
      connected(true)
      tiles.show(status, Date.now() + offset)
      if (status.guildId !== guild) return
      latest = status
      show(status)
      beat()
      demo.observe(status)
      const count = status.shard?.count ?? 0
      if (count && count !== laidOut && laidOut !== Infinity) {
        laidOut = count
        follow(guild, tiles.layOut(count, status.shard?.id ?? 0))
      }
    },
    onLost: () => connected(false),
    onRefused: (status) => {
      if (status === 403 && others.length) {
        // The token lists some guilds only: the shards are not for its owner.
        laidOut = Infinity
        element('shards').hidden = true
        follow(guild, [])
      } else if (status === 403) signedOut(`Your token does not list the server ${guild}.`)
      else signedOut('Your time is over: sign in once more.')
    },
  })
}

/** @param {boolean} isConnected */
function connected(isConnected) {
  document.body.classList.toggle('lost', !isConnected)
  element('connection').textContent = isConnected ? 'Live' : 'Connection lost, trying again…'
}

/** @param {Status} status */
function show(status) {
  const now = Date.now() + offset
  const guild = element('guild')
  guild.hidden = false
  guild.dataset.state = status.state
  shape(/** @type {SVGElement} */ (/** @type {unknown} */ (element('mark'))), status.state)
  const word = words(status, now)
  // A live region speaks whenever it is written to.
  if (element('word').textContent !== word) element('word').textContent = word
  /** @type {[string, string][]} */
  const facts = [['Server', status.guildId === ANY_GUILD ? 'any of shard 0' : status.guildId]]
  if (status.shard) facts.push(['Shard', `${status.shard.id} of ${status.shard.count}`])
  if (status.version) facts.push(['Version', status.version])
  if (status.shard) facts.push(['For', duration(now - Date.parse(status.since))])
  if (status.lastHeartbeat) facts.push(['Last beat', `${duration(now - Date.parse(status.lastHeartbeat))} ago`])
  element('facts').replaceChildren(...facts.map(([name, value]) => fact(name, value)))
  element('listening').hidden = status.reason !== 'never_seen' || status.shard !== null
  document.title = `${word} · guildpulse`
}

/**
 * @param {string} name
 * @param {string} value
 */
function fact(name, value) {
  const group = document.createElement('div')
  const [term, description] = [document.createElement('dt'), document.createElement('dd')]
  term.textContent = name
  description.textContent = value
  group.append(term, description)
  return group
}

/** The mark pulses once for each frame that came. */
function beat() {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
  element('mark').animate([{ transform: 'scale(1)' }, { transform: 'scale(1.06)' }, { transform: 'scale(1)' }], 500)
}

/**
 * The line that makes a bot beat here.
 * @param {Start} start
 */
function commandOf({ program, tokenFile }) {
  const token = tokenFile ? ` --token-file ${quoted(tokenFile)}` : ''
  const secret = tokenFile ? '' : 'GUILDPULSE_TOKEN=… '
  return `${secret}${quoted(program)} beat --url ${location.origin}${token} --shard 0/1 --version 1.0.0`
}

/**
 * As a shell takes it.
 * @param {string} path
 */
function quoted(path) {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

element('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault()
  const token = /** @type {HTMLInputElement} */ (element('token'))
  if (await signIn(token.value.trim())) {
    token.value = ''
    await enter()
  } else element('why').textContent = 'The server does not take this token.'
})

element('choose').addEventListener('submit', (event) => {
  event.preventDefault()
  location.search = `?guild=${/** @type {HTMLInputElement} */ (element('guild-id')).value}`
})

element('copy').addEventListener('click', async () => {
  const copied = await navigator.clipboard?.writeText(command).then(() => true, () => false)
  if (copied) element('copy').textContent = 'Copied'
  else getSelection()?.selectAllChildren(element('command'))
})

// A page that comes back from the browser's cache has lost its stream.
addEventListener('pageshow', (event) => event.persisted && location.reload())

demo.begin(() => latest)
setInterval(() => latest && show(latest), 1000)
void begin()
