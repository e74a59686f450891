// A mark for each shard. Every shard is watched through a guild that it would serve.

import { element, shape } from './elements.js'
import { words } from './words.js'

/** @typedef {import('./words.js').Status} Status */

/** One stream carries a hundred guilds, and one of them is the large one. */
export const MOST = 99

/** @type {Map<string, HTMLElement>} */
const tiles = new Map()

/**
 * A guild that the shard serves, whether or not there is such a server: `(id >> 22) % count` is its shard.
 * @param {number} shard
 * @param {number} count
 */
export function guildOf(shard, count) {
  return String(BigInt(shard + count) << 22n)
}

/**
 * Lays out a tile for each shard, and returns the guilds to watch for them.
 * @param {number} count
 * @param {number} own the shard of the guild that is shown large
 */
export function layOut(count, own) {
  const shown = Math.min(count, MOST)
  tiles.clear()
  element('tiles').replaceChildren(...Array.from({ length: shown }, (_, shard) => tile(shard, count, shard === own)))
  element('more').textContent = count > shown ? `and ${count - shown} more` : ''
  element('shards').hidden = false
  return [...tiles.keys()]
}

/**
 * @param {number} shard
 * @param {number} count
 * @param {boolean} isOwn
 */
function tile(shard, count, isOwn) {
  const template = /** @type {SVGElement} */ (element('mark').cloneNode(true))
  template.removeAttribute('id')
  const item = document.createElement('li')
  const label = document.createElement('span')
  label.textContent = String(shard)
  item.append(template, label)
  item.classList.toggle('own', isOwn)
  item.dataset.shard = String(shard)
  draw(item, 'unknown', 'Checking…')
  tiles.set(guildOf(shard, count), item)
  return item
}

/**
 * Shows a status on its tile, if there is one for it.
 * @param {Status} status
 * @param {number} now
 */
export function show(status, now) {
  const item = tiles.get(status.guildId)
  if (item) draw(item, status.state, words(status, now))
}

/**
 * @param {HTMLElement} item
 * @param {import('./words.js').State} state
 * @param {string} text
 */
function draw(item, state, text) {
  item.dataset.state = state
  item.title = `Shard ${item.dataset.shard}: ${text}`
  item.ariaLabel = item.title
  shape(/** @type {SVGElement} */ (item.querySelector('svg')), state)
}
