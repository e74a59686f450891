// What the other files need of the document.

/**
 * The element of this id, which the page has.
 * @param {string} id
 */
export function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id))
}

/**
 * A mark of the shape that belongs to the state.
 * @param {SVGElement} mark
 * @param {import('./words.js').State} state
 */
export function shape(mark, state) {
  mark.querySelector('use')?.setAttribute('href', `#${state}`)
}
