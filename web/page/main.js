// The page: signing in, one guild large, its bot's shards below.

import * as demo from './demo.js'
import { element } from './elements.js'
import * as guilds from './guild.js'
import { watch } from './live.js'
import * as tiles from './tiles.js'

/** @typedef {import('./words.js').Status} Status */
/** @typedef {{ demo: boolean, guildId: string | null, program: string, tokenFile: string | null }} Start */

/** On shard 0 of every bot of up to 16 shards: something to watch while nobody has named a server. */
const ANY_GUILD = String(720_720n << 22n)

const MOST_GUILD = 2n ** 64n - 1n
/** After how long the server is asked again when it has not answered. */
const AGAIN_MS = 3000

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
  // It is for nobody else, so it need not stand in the address.
  history.replaceState(null, '', location.pathname + location.search)
  if (!code) return enter('')
  const answer = await showCredential('/page/code', code)
  if (answer === 'lost') return void setTimeout(() => (location.hash = `code=${code}`), AGAIN_MS)
  // Whoever is signed in already needs no link.
  return enter(answer === 'good' ? '' : 'This link has been used, or is too old. The server prints a new one when one is used.')
}

/**
 * Shows what the caller may see.
 * @param {string} why what to say to somebody who is not signed in
 * @returns {Promise<void>}
 */
async function enter(why) {
  const answer = await fetch('/page/start').catch(() => null)
  if (answer?.status === 401) return signedOut(why)
  // A viewer is no operator, but sees what its token lists.
  if (answer?.status !== 200 && answer?.status !== 403) return void setTimeout(enter, AGAIN_MS, why)
  /** @type {Start | null} */
  const start = answer.ok ? await answer.json() : null
  only('choose', ...(start?.demo ? ['demo'] : []))
  command = start ? commandOf(start) : ''
  element('command').textContent = command
  const asked = new URLSearchParams(location.search).get('guild')
  const guild = asked ?? start?.guildId ?? ANY_GUILD
  if (guild !== ANY_GUILD) /** @type {HTMLInputElement} */ (element('guild-id')).value = guild
  if (!isGuild(guild)) return which(`${guild} is not the ID of a server.`)
  laidOut = 0
  follow(guild, [])
}

/**
 * Asks the server to sign this browser in.
 * @param {string} path
 * @param {string} credential
 * @returns {Promise<'good' | 'bad' | 'lost'>} `lost` if there was no answer that says
 */
async function showCredential(path, credential) {
  const headers = { Authorization: `Bearer ${credential}` }
  const answer = await fetch(path, { method: 'POST', headers }).catch(() => null)
  if (answer?.ok) return 'good'
  return answer && answer.status < 500 ? 'bad' : 'lost'
}

/** @param {string} text */
function isGuild(text) {
  return /^[1-9][0-9]{0,19}$/.test(text) && BigInt(text) <= MOST_GUILD
}

/** @param {string} why */
function signedOut(why) {
  only('signed-out')
  if (why) element('why').textContent = why
}

/**
 * Asks which server is meant.
 * @param {string} why
 */
function which(why) {
  only('which', 'choose')
  element('which-why').textContent = why
}

/**
 * Nothing is watched any more, and of the parts of the page only these are shown.
 * @param {string[]} shown
 */
function only(...shown) {
  stop()
  latest = undefined
  document.title = 'guildpulse'
  document.body.classList.remove('lost')
  element('connection').textContent = ''
  for (const id of ['signed-out', 'which', 'guild', 'demo', 'listening', 'shards', 'choose']) {
    element(id).hidden = !shown.includes(id)
  }
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
      tell(status)
      guilds.pulse()
      demo.observe(status)
      const count = status.shard?.count ?? 0
      if (count && count !== laidOut && laidOut !== Infinity) {
        laidOut = count
        follow(guild, tiles.layOut(count, status.shard?.id ?? 0))
      }
    },
    onLost: () => {
      connected(false)
      demo.lost()
    },
    onRefused: (status) => {
      if (status === 403 && others.length) {
        // The token lists some guilds only: the shards are not for its owner.
        laidOut = Infinity
        element('shards').hidden = true
        follow(guild, [])
      } else if (status !== 403) signedOut('Your time is over: sign in once more.')
      else if (guild === ANY_GUILD) which('Your token lists certain servers. Name one of them:')
      else which(`Your token does not list the server ${guild}. Name another one:`)
    },
  })
}

/** @param {boolean} isConnected */
function connected(isConnected) {
  document.body.classList.toggle('lost', !isConnected)
  element('connection').textContent = isConnected ? 'Live' : 'Connection lost, trying again…'
}

/** @param {Status} status */
function tell(status) {
  guilds.show(status, status.guildId === ANY_GUILD ? 'any of shard 0' : status.guildId, Date.now() + offset)
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
  const answer = await showCredential('/page/session', token.value.trim())
  if (answer === 'good') {
    token.value = ''
    await enter('')
  } else {
    element('why').textContent =
      answer === 'bad' ? 'The server does not take this token.' : 'The server cannot be reached now. Try again.'
  }
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

// A link that is opened where the page is open already changes the fragment, and loads nothing.
addEventListener('hashchange', () => location.hash && void begin())

// A page that comes back from the browser's cache has lost its stream.
addEventListener('pageshow', (event) => event.persisted && location.reload())

demo.begin(() => latest)
setInterval(() => latest && tell(latest), 1000)
void begin()
