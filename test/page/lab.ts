/** The web page in a real browser, over a server with real data. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { type LabOptions, type ServerLab, startLab } from '../server/lab.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** Where browsers are that this suite can drive. */
const BROWSERS = [
  process.env.SKEP_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const browserPath = await findBrowser()

/** Why the page cannot be tested here; undefined when it can. */
export const noBrowser: string | undefined = browserPath
  ? undefined
  : 'the page is not tested: no Chromium here; install one (Debian: apt-get install chromium) or name it with SKEP_CHROMIUM'

if (noBrowser) console.warn(noBrowser)

async function findBrowser(): Promise<string | undefined> {
  const find = () => BROWSERS.find((path) => path !== '' && existsSync(path))
  if (!find() && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) await installBrowser()
  return find()
}

/** Where we may, as in a container of a continuous integration, the browser is installed. */
async function installBrowser(): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['update', '-q'], { env })
    await run('apt-get', ['install', '-yq', '--no-install-recommends', 'chromium'], { env })
  } catch (error) {
    console.warn(`a browser cannot be installed: ${(error as Error).message.split('\n')[0]}`)
  }
}

/** A server with the page, and a browser. */
export interface PageLab extends AsyncDisposable {
  server: ServerLab
  browser: Browser
  /** A page of its own context, with what went wrong in it. */
  open(hash?: string, options?: BrowserContextOptions): Promise<OpenPage>
}

/** A page, and the errors that its scripts and its console told. */
export interface OpenPage extends AsyncDisposable {
  page: Page
  faults: string[]
}

/** Opens a browser over a server with the table `events`. */
export async function openPageLab(options: LabOptions = {}): Promise<PageLab> {
  const server = await startLab({ ...options, page: await builtPage() })
  const browser = await launch()
  return {
    server,
    browser,
    open: async (hash = '', context = {}) => {
      const opened = await openPage(browser, context)
      await opened.page.goto(`${server.url}/${hash}`)
      return opened
    },
    [Symbol.asyncDispose]: async () => {
      await browser.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** A browser without a window. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] })
}

/** An empty page. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...options,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error.stack ?? error)))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  return { page, faults, [Symbol.asyncDispose]: async () => await context.close() }
}

/** The folder of the page as the sources have it now, built once for all suites. */
export async function builtPage(): Promise<string> {
  const folder = join(tmpdir(), `skep-page-${stampOf(['web', 'src/api', 'src/behaviour', 'src/common', 'scripts'])}`)
  if (existsSync(join(folder, 'index.html'))) return folder
  const own = `${folder}-${process.pid}`
  await run(process.execPath, [join(ROOT, 'scripts/build-web.ts'), own])
  try {
    renameSync(own, folder)
  } catch (error) {
    // Another suite was faster.
    if (!existsSync(join(folder, 'index.html'))) throw error
    rmSync(own, { recursive: true })
  }
  return folder
}

function stampOf(folders: readonly string[]): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')))
  for (const folder of folders) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      hash.update(path.slice(ROOT.length)).update(readFileSync(path))
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/** What axe finds on a page, as `rule: element`; empty when nothing. */
export async function axeFaults(page: Page): Promise<string[]> {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  await page.evaluate(source)
  return await page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? ''))))`)
}

/** Waits until nothing is loaded and nothing moves that comes to an end. */
export async function settle(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle')
  await page.evaluate(`Promise.all(document.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)
    .map(({ finished }) => finished.catch(() => {})))`)
}

/** Whether a page is wider than its window, so that it scrolls sideways. */
export async function isTooWide(page: Page): Promise<boolean> {
  return await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')
}

/** Drops files on the page, as from the desktop. */
export async function dropFiles(page: Page, files: readonly { name: string; bytes: Uint8Array }[]): Promise<void> {
  const carried = files.map(({ name, bytes }) => ({ name, base64: Buffer.from(bytes).toString('base64') }))
  await page.evaluate(`{
    const transfer = new DataTransfer()
    for (const { name, base64 } of ${JSON.stringify(carried)}) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
      transfer.items.add(new File([bytes], name))
    }
    for (const type of ['dragenter', 'dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }))
    }
  }`)
}

/** What is wrong with a page in light and dark, on wide, middle and narrow screens: what axe finds, and whether it scrolls sideways. */
export async function faultsInAllLooks(page: Page): Promise<string[]> {
  await settle(page)
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const width of [1280, 768, 380]) {
      await page.setViewportSize({ width, height: 800 })
      // Two frames: the colours of all that is in sight have changed.
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
      const faults = await axeFaults(page)
      if (await isTooWide(page)) faults.push('wider than the window')
      found.push(...faults.map((fault) => `${colorScheme} ${width}: ${fault}`))
    }
  }
  return found
}
