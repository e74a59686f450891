// The buttons of the demo, and the stopwatch from the press to the pixel.

import { element } from './elements.js'

/** @typedef {import('./words.js').Status} Status */

/**
 * How a scene is recognised: what is waited for, how it is told, and whether the bot comes back from it.
 * @typedef {{ isSeen: (status: Status, before: Status) => boolean, tell: (status: Status) => string, passes: boolean }} Scene
 */

/** @type {Record<string, Scene>} */
const SCENES = {
  crash: { isSeen: (status) => status.state === 'offline', tell: () => 'The crash was', passes: true },
  deploy: {
    isSeen: (status, before) => status.version !== before.version,
    tell: (status) => `Version ${status.version} was`,
    passes: false,
  },
  outage: { isSeen: (status) => status.reason === 'discord_outage', tell: () => 'The outage was', passes: true },
}

/**
 * What is being measured.
 * @type {{ scene: Scene, begun: number, before: Status, armed: boolean, seen: string, healthy: boolean } | null}
 */
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
  // What is there already is not what was asked for: it has to go first.
  const armed = !scene.isSeen(before, before)
  const mine = (run = { scene, begun, before, armed, seen: '', healthy: true })
  tick()
  const answer = await fetch(`/demo/${name}`, { method: 'POST' }).catch(() => null)
  if (!answer?.ok && run === mine) {
    run = null
    say(`The server did not take it${answer ? ` (${answer.status})` : ''}.`)
  }
}

/**
 * Is told every status of the guild, once it is on the page.
 * @param {Status} status
 */
export function observe(status) {
  if (!run) return
  const { isSeen, passes, tell } = run.scene
  run.healthy &&= status.healthy
  if (!run.seen) {
    const seen = isSeen(status, run.before)
    if (seen && run.armed) {
      run.seen = `${tell(status)} seen after `
      const mine = run
      painted((now) => {
        mine.seen += `${seconds(now - mine.begun)}.`
        if (!passes) mine.seen += mine.healthy ? ' It was never offline here.' : ''
        say(mine.seen)
        if (!passes && run === mine) run = null
      })
    }
    run.armed ||= !seen
  } else if (passes && status.state === 'online') {
    const mine = run
    run = null
    painted((now) => say(`${mine.seen} Online again after ${seconds(now - mine.begun)}.`))
  }
}

/**
 * Calls back once the browser has drawn what is on the page now.
 * @param {(now: number) => void} then
 */
function painted(then) {
  // The first comes before the next frame is drawn, the second after it.
  requestAnimationFrame(() => requestAnimationFrame(() => then(performance.now())))
}

function tick() {
  if (!run || run.seen) return
  element('stopwatch').ariaLive = 'off'
  element('stopwatch').textContent = `${seconds(performance.now() - run.begun)} …`
  setTimeout(tick, 50)
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
