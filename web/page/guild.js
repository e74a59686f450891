// The guild that is shown large.

import { element, shape } from './elements.js'
import { duration, words } from './words.js'

/** @typedef {import('./words.js').Status} Status */

/**
 * @param {Status} status
 * @param {string} server what the guild is called
 * @param {number} now the server's time, in milliseconds since the Unix epoch
 */
export function show(status, server, now) {
  const guild = element('guild')
  guild.hidden = false
  guild.dataset.state = status.state
  shape(/** @type {SVGElement} */ (/** @type {unknown} */ (element('mark'))), status.state)
  const word = words(status, now)
  // A live region speaks whenever it is written to.
  if (element('word').textContent !== word) element('word').textContent = word
  /** @type {[string, string][]} */
  const facts = [['Server', server]]
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

/** Pulses once, for a frame that came. */
export function pulse() {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
  element('mark').animate([{ transform: 'scale(1)' }, { transform: 'scale(1.06)' }, { transform: 'scale(1)' }], 500)
}
