// The buttons of the demo, and the stopwatch from the press to the pixel.

import { element } from './elements.js'

/** @typedef {import('./words.js').Status} Status */

/**
 * How a scene is recognised: what is waited for, how it is told, and whether the bot comes back from it.
 * @typedef {{ isSeen: (status: Status, version: string) => boolean, tell: (status: Status) => string, passes: boolean }} Scene
 */

/** @type {Record<string, Scene>} */
const SCENES = {
  crash: { isSeen: (status) => status.state === 'offline', tell: () => 'The crash was', passes: true },
  deploy: {
    isSeen: (status, version) => status.version === version,
    tell: (status) => `Version ${status.version} was`,
    passes: false,
  },
  outage: { isSeen: (status) => status.reason === 'discord_outage', tell: () => 'The outage was', passes: true },
}

/** After how long nothing more is expected: every scene is over by then. */
const OVER_MS = 30_000

/**
 * What is being measured.
 * @typedef {object} Run
 * @property {Scene} scene
 * @property {number} begun
 * @property {string} version the version that the server means to run in the end, once it has said so
 * @property {boolean} armed whether what is waited for is not there already: then it has to go first
 * @property {boolean} healthy whether the bot has been, all the time
 * @property {string} seen what was told
 */

/** @type {Run | null} */
let run = null

/** @param {() => Status | undefined} status what is known of the guild */
export function begin(status) {
  for (const button of document.querySelectorAll('button[data-scene]')) {
    button.addEventListener('click', (event) => {
      const before = status()
      if (before) void press(/** @type {HTMLElement} */ (button).dataset.scene ?? '', before, event.timeStamp)
    })
  }
}

/**
 * @param {string} name
 * @param {Status} before
 * @param {number} begun
 */
async function press(name, before, begun) {
  const scene = SCENES[name]
  if (!scene) return
  /** @type {Run} */
  const mine = { scene, begun, version: '', armed: !scene.isSeen(before, ''), healthy: before.healthy, seen: '' }
  run = mine
  tick(mine)
  const answer = await fetch(`/demo/${name}`, { method: 'POST' }).catch(() => null)
  if (answer?.ok) mine.version = (await answer.json()).version
  else giveUp(mine, `The server did not take it${answer ? ` (${answer.status})` : ''}.`)
}

/**
 * Is told every status of the guild, once it is on the page.
 * @param {Status} status
 */
export function observe(status) {
  if (!run) return
  const mine = run
  const { isSeen, passes, tell } = mine.scene
  mine.healthy &&= status.healthy
  if (!mine.seen) {
    const seen = isSeen(status, mine.version)
    if (seen && mine.armed) {
      mine.seen = `${tell(status)} seen after `
      painted((now) => {
        mine.seen += `${seconds(now - mine.begun)}.`
        if (!passes && mine.healthy) mine.seen += ' It was never offline here.'
        if (run === mine) say(mine.seen)
        if (run === mine && !passes) run = null
      })
    }
    mine.armed ||= !seen
  } else if (passes && status.state === 'online') {
    run = null
    painted((now) => run === null && say(`${mine.seen} Online again after ${seconds(now - mine.begun)}.`))
  }
}

/** The connection is gone: what happened meanwhile was not seen here. */
export function lost() {
  if (run && !run.seen) giveUp(run, 'The connection was lost meanwhile.')
}

/**
 * @param {Run} mine
 * @param {string} why
 */
function giveUp(mine, why) {
  if (run !== mine) return
  run = null
  say(why)
}

/**
 * Calls back once the browser has drawn what is on the page now. Of a page that nobody sees, nothing is drawn.
 * @param {(now: number) => void} then
 */
function painted(then) {
  if (document.hidden) return then(performance.now())
  // The first comes before the next frame is drawn, the second after it.
  requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now())))
}

/** @param {Run} mine */
function tick(mine) {
  if (run !== mine || mine.seen) return
  const passed = performance.now() - mine.begun
  if (passed > OVER_MS) return giveUp(mine, 'Nothing came of it.')
  element('stopwatch').ariaLive = 'off'
  element('stopwatch').textContent = `${seconds(passed)} …`
  setTimeout(tick, 50, mine)
}

/** @param {string} text */
function say(text) {
  element('stopwatch').ariaLive = 'polite'
  element('stopwatch').textContent = text
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`
}
