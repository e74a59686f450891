// What the other files need of the document.

/**
 * The element of this id, which the page has.
 * @param {string} id
 */
export function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id))
}

/**
 * Gives the mark the shape that belongs to the state; one that a newer server has added is not known here.
 * @param {SVGElement} mark
 * @param {import('./words.js').State} state
 */
export function shape(mark, state) {
  const known = document.getElementById(state) instanceof SVGSymbolElement
  mark.querySelector('use')?.setAttribute('href', `#${known ? state : 'unknown'}`)
}
