/** How smoothly the grid of the web page scrolls 100,000 rows of 12 columns in headless Chromium. `node bench/page.ts` */
import type { Page } from 'playwright-core'
import { openPageLab } from '../test/page/lab.ts'

const ROWS = 100_000
const SECONDS = 5
const SQL = `SELECT i AS n, ${Array.from({ length: 11 }, (_, k) => `'value ' || hash(i + ${k}) AS c${k}`).join(', ')} FROM range(${ROWS}) AS t(i)`

interface Frames {
  fps: number
  p95Ms: number
  slowestMs: number
  rows: number
}

/** Scrolls while frames are counted, by the times between the calls of `requestAnimationFrame`. */
async function measure(page: Page, scroll: () => Promise<void>): Promise<Frames> {
  await page.evaluate(`{
    window.frames = []
    const grid = document.querySelector('[role=grid]')
    window.first = grid.scrollTop
    const own = {}
    window.running = own
    const frame = (now) => {
      if (window.running !== own) return
      window.frames.push(now)
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  }`)
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) await scroll()
  const { times, pixels } = await page.evaluate<{ times: number[]; pixels: number }>(`{
    window.running = undefined;
    ({ times: window.frames, pixels: document.querySelector('[role=grid]').scrollTop - window.first })
  }`)
  const gaps = times.slice(1).map((time, k) => time - times[k]!)
  const sorted = gaps.toSorted((a, b) => a - b)
  const total = times.at(-1)! - times[0]!
  const round = (value: number) => Math.round(value * 10) / 10
  return {
    fps: round((gaps.length / total) * 1000),
    p95Ms: round(sorted[Math.floor(sorted.length * 0.95)]!),
    slowestMs: round(sorted.at(-1)!),
    rows: Math.round(pixels / 29),
  }
}

await using lab = await openPageLab()
await using opened = await lab.open(`#/sql?${new URLSearchParams({ q: SQL, run: '1' })}`, {
  viewport: { width: 1600, height: 1000 },
})
const { page } = opened
const grid = page.getByRole('grid', { name: 'Rows' })
await page
  .getByRole('status')
  .getByText(`${ROWS.toLocaleString('en')} rows`)
  .waitFor()
await grid.hover()
await grid.focus()
const results = {
  // A notch of a wheel, and a fling: twenty rows with each event.
  wheel: await measure(page, async () => await page.mouse.wheel(0, 120)),
  fling: await measure(page, async () => await page.mouse.wheel(0, 600)),
  arrow: await measure(page, async () => await page.keyboard.press('ArrowDown')),
  pageDown: await measure(page, async () => await page.keyboard.press('PageDown')),
}
console.table(results)
