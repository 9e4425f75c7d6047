/** Makes the pictures of the web page in `docs/pictures` from the warehouse of the demo: `node scripts/page-pictures.ts [NAME…]`. Needs a Chromium (`SKEP_CHROMIUM`). */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { smallPng } from './small-png.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MAIN = join(ROOT, 'src/cli/main.ts')
const FOLDER = join(ROOT, 'docs/pictures')

interface Picture {
  name: string
  hash: string
  height: number
  /** Waits until there is all that the picture shows. */
  ready(page: Page): Promise<unknown>
}

const query = (document: unknown) => encodeURIComponent(JSON.stringify(document))
const step = (event: string) => ({ filter: ['event', '==', event] })
const FUNNEL = {
  funnel: {
    sequence: [step('docs'), { ...step('source'), within: '90d' }, step('tests')],
    stepAggregations: [{ column: 'project', type: 'groupsPerValue', top: 5 }],
  },
}
const BY_QUARTER = `SELECT date_trunc('quarter', ts) AS quarter, event, count(*) AS commits
FROM contributions WHERE event IN ('source', 'tests', 'docs')
GROUP BY ALL ORDER BY quarter, event`

const PICTURES: readonly Picture[] = [
  {
    name: 'funnel',
    hash: `#/behaviour/contributions?q=${query(FUNNEL)}`,
    height: 850,
    ready: async (page) => await page.getByRole('group', { name: 'Actors per project', exact: true }).waitFor(),
  },
  {
    name: 'sql',
    hash: `#/sql?q=${encodeURIComponent(BY_QUARTER)}&tab=chart&run=1`,
    height: 780,
    ready: async (page) => await page.locator('figure svg [aria-label] > *').first().waitFor({ state: 'attached' }),
  },
  {
    name: 'tables',
    hash: '#/tables/contributions?column=ts',
    height: 720,
    ready: async (page) => await page.locator('figure svg rect').first().waitFor({ state: 'attached' }),
  },
]

const wanted = process.argv.slice(2)
const place = mkdtempSync(join(tmpdir(), 'skep-pictures-'))
mkdirSync(FOLDER, { recursive: true })
execFileSync(process.execPath, [join(ROOT, 'scripts/build-web.ts')], { stdio: 'inherit' })
const serving = spawn(process.execPath, [MAIN, 'demo', '--keep', '--serve', '--port', '0'], {
  cwd: place,
  stdio: ['ignore', 'pipe', 'pipe'],
})
const browser = await chromium.launch({
  executablePath: process.env.SKEP_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
try {
  const address = await addressOf()
  for (const picture of PICTURES) if (wanted.length === 0 || wanted.includes(picture.name)) await take(picture, address)
} finally {
  await browser.close()
  serving.kill('SIGINT')
  await new Promise((done) => serving.once('close', done))
  rmSync(place, { recursive: true, force: true })
}

/** Where the page is served. */
async function addressOf(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  for (const stream of [serving.stdout, serving.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]
      if (found) resolve(found)
    })
  }
  serving.once('close', (code) => reject(new Error(`the server ended with ${code}`)))
  return await promise
}

async function take({ name, hash, height, ready }: Picture, address: string): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: 1280, height },
    deviceScaleFactor: 2,
    colorScheme: 'light',
    reducedMotion: 'reduce',
  })
  await page.goto(`${address}/${hash}`)
  await ready(page)
  await page.waitForLoadState('networkidle')
  const bytes = smallPng(await page.screenshot())
  writeFileSync(join(FOLDER, `${name}.png`), bytes)
  console.log(`${name}.png: ${Math.round(bytes.length / 1000)} KB`)
  await page.close()
}
