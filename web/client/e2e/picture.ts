/**
 * What a browser shows of `BotStatus`, as SVG: the mark, and each line of words in the font of who looks. It is small
 * and sharp, and the same on every machine, so that a test can hold it against the component. Runs in the page.
 */
export function draw(root: Element): string {
  // Wide enough for the longest words in any font. Nothing that was measured of letters is in it.
  const width = 400
  const origin = root.getBoundingClientRect()
  const place = (element: Element) => {
    const { x, y, width, height } = element.getBoundingClientRect()
    return { x: Math.round(x - origin.x), y: Math.round(y - origin.y), width: Math.round(width), height: Math.round(height) }
  }
  const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

  const mark = root.querySelector('svg')!
  const { x, y, width: w, height: h } = place(mark)
  const { color } = getComputedStyle(mark)
  const shape = `<svg x="${x}" y="${y}" width="${w}" height="${h}" viewBox="0 0 24 24" fill="${color}" fill-rule="evenodd">${mark.innerHTML}</svg>`

  const lines = [...root.querySelectorAll('[data-part=body] > *')].map((line) => {
    const { x, y, height } = place(line)
    const { color, fontSize, fontWeight } = getComputedStyle(line)
    const runs = [...line.childNodes].map((node) => {
      const text = escape(node.textContent ?? '')
      if (!(node instanceof Element)) return text
      const { color, textDecorationLine } = getComputedStyle(node)
      return `<tspan fill="${color}" text-decoration="${textDecorationLine}">${text}</tspan>`
    })
    const look = `fill="${color}" font-size="${fontSize}" font-weight="${fontWeight}"`
    return `<text x="${x}" y="${y + height / 2}" dominant-baseline="central" ${look}>${runs.join('')}</text>`
  })
  const size = [width, Math.round(origin.height)]
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size.join(' ')}" font-family="system-ui, sans-serif">`
  return `${[open, shape, ...lines].join('\n')}\n</svg>\n`
}
