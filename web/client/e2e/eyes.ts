/** How a test sees a page. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'

export type Rgb = [number, number, number]

/** What axe finds wrong with what is shown now. Those of its rules that are off by default are on. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const violations = await page.evaluate(async () => {
    const { axe: it } = window as unknown as { axe: typeof axe }
    const rules = Object.fromEntries(it.getRules().map(({ ruleId }) => [ruleId, { enabled: true }]))
    // A contrast of 7 is more than is promised.
    delete rules['color-contrast-enhanced']
    return (await it.run({ rules })).violations
  })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** The colour of each, whatever it is written in. `of` says which state and part it is. */
export async function colours(page: Page, selector: string): Promise<{ of: string; rgb: Rgb }[]> {
  return page.locator(selector).evaluateAll((all) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!
    return all.map((each) => {
      canvas.fillStyle = getComputedStyle(each).color
      canvas.fillRect(0, 0, 1, 1)
      const [r = 0, g = 0, b = 0] = canvas.getImageData(0, 0, 1, 1).data
      const state = each.closest('[data-state]')?.getAttribute('data-state')
      return { of: `${state} ${each.tagName}`, rgb: [r, g, b] as [number, number, number] }
    })
  })
}

/** WCAG 2.2, "contrast ratio". */
export function contrast(a: Rgb, b: Rgb): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(rgb: Rgb): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
