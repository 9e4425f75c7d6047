/** The activity view: what runs and how far it is, its end by a button, what ran, and where the time went. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENDLESS, eventually, TOKENS } from '../server/lab.ts'
import { faultsInAllLooks, isTooWide, noBrowser, openPageLab, type PageLab, settle } from './lab.ts'

const GROUPS = 'SELECT project, count(*) AS n FROM events GROUP BY project ORDER BY n DESC'
/** Takes long, in many tasks of which each is short. */
const SLOW = 'SELECT project, max(hash(a.range, actor)) AS h FROM events, range(20000) a GROUP BY project'
const FUNNEL = { funnel: { sequence: [{ filter: ['files', '>', 1] }, { filter: ['files', '>', 10] }] } }
const TASKS = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '8000', SKEP_POOL: 'threads', SKEP_THREADS: '2' }

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the activity view', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab({ env: TASKS })
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  const newest = async () =>
    (JSON.parse((await lab.server.call('GET', '/api/v1/queries?limit=1')).text) as { id: string; text: string }[])[0]!
  /** The id of a query that has been asked just now. */
  const ran = async (sql: string) => {
    await lab.server.sql(sql)
    return (await newest()).id
  }

  test('says what to do first while nothing has run, and shows the first query by itself', async () => {
    await using opened = await lab.open('#/activity')
    const { page, faults } = opened
    await page.getByRole('heading', { name: 'Nothing has run yet' }).waitFor()
    expect(await page.getByRole('link', { name: 'Open SQL' }).getAttribute('href')).toBe('#/sql')
    expect(await faultsInAllLooks(page)).toEqual([])
    await lab.server.sql('SELECT 1 AS a')
    await page.getByRole('link', { name: 'SELECT 1 AS a' }).waitFor()
    expect(faults).toEqual([])
  })

  test('a long query appears while it runs with how far it is, is cancelled there, and becomes cancelled', async () => {
    await using opened = await lab.open('#/activity')
    const { page, faults } = opened
    await page.getByRole('heading', { name: 'Activity' }).waitFor()
    const answer = lab.server.sql(SLOW)
    const card = page.getByRole('list', { name: 'Running queries' }).getByRole('listitem')
    await card.getByText(/[1-9]\d* of \d+ tasks done, \d running/).waitFor()
    expect(Number(await card.getByRole('progressbar').getAttribute('aria-valuenow'))).toBeGreaterThan(0)
    expect(await page.getByRole('region', { name: 'Workers' }).innerText()).toMatch(/[12] of 2 busy/)
    expect(await faultsInAllLooks(page)).toEqual([])
    await card.getByRole('button', { name: 'Cancel SELECT project' }).click()
    const { status } = await answer
    expect(status).toBe(499)
    await page.getByRole('row', { name: /SELECT project, max.* cancelled/ }).waitFor()
    expect(await card.count()).toBe(0)
    expect(faults).toEqual([])
  })

  test('the page of a running query shows its tasks as they are done, and cancels it', async () => {
    const answer = lab.server.sql(SLOW)
    await eventually('the query runs', async () => (await newest()).text === SLOW)
    await using opened = await lab.open(`#/activity/${(await newest()).id}`)
    const { page, faults } = opened
    await page.getByText(/^\d+ done( · \d cold)?$/).waitFor()
    const before = await page.locator('.timeline-lane').count()
    await eventually(
      'more tasks are shown',
      async () => (await page.locator('.timeline-lane').count()) > before,
      20_000,
    )
    await page.getByRole('button', { name: /^Cancel/ }).click()
    await page.getByRole('status').getByText('cancelled').waitFor()
    await page.getByText('CANCELLED', { exact: true }).waitFor()
    await answer
    expect(faults).toEqual([])
  })

  test('a divided query shows its phases and each of its tasks, as lines and in figures', async () => {
    const id = await ran(GROUPS)
    const { work } = JSON.parse((await lab.server.call('GET', `/api/v1/queries/${id}`)).text)
    await using opened = await lab.open(`#/activity/${id}`)
    const { page, faults } = opened
    await page.getByRole('heading', { name: 'Where the time went' }).waitFor()
    expect(await page.locator('.phases dt').allInnerTexts()).toEqual(['Plan', 'Wait', 'Fetch', 'Scan', 'Merge'])
    expect(work.tasks).toBeGreaterThan(4)
    expect(await page.locator('.timeline-lane').count()).toBe(work.tasks + 2)
    await page.getByText('All tasks in figures').click()
    const rows = page.getByRole('region', { name: 'Tasks in figures' }).getByRole('row')
    expect(await rows.count()).toBe(work.tasks + 1)
    await page.getByRole('button', { name: 'By worker' }).click()
    const workers = new Set(work.taskTimes.map(({ worker }: { worker: string }) => worker))
    const lines = page.locator('.timeline-lane > span', { hasText: 'Worker' })
    expect(await lines.count()).toBe(workers.size)
    expect(await page.locator('.timeline [data-phase=scan]').count()).toBe(work.tasks)
    expect(await faultsInAllLooks(page)).toEqual([])
    const href = await page.getByRole('link', { name: 'Open in SQL' }).getAttribute('href')
    expect(new URLSearchParams(href!.split('?')[1]).get('q')).toBe(GROUPS)
    expect(faults).toEqual([])
  })

  test('a behavioural query leads back to its view, and a failed one says what was wrong', async () => {
    await lab.server.call('POST', '/api/v1/tables/events/query', { body: JSON.stringify(FUNNEL) })
    const { id } = await newest()
    await using opened = await lab.open(`#/activity/${id}`)
    const { page } = opened
    const href = await page.getByRole('link', { name: 'Open in Behaviour' }).getAttribute('href')
    expect(href!.split('?')[0]).toBe('#/behaviour/events')
    expect(JSON.parse(new URLSearchParams(href!.split('?')[1]).get('q')!)).toEqual(FUNNEL)
    await page.getByText('["files", ">", 10]').waitFor()
    const failed = await ran('SELECT nope FROM events')
    await page.goto(`${lab.server.url}/#/activity/${failed}`)
    await page.getByRole('alert').getByText('Referenced column "nope" not found').waitFor()
    await page.getByText('SQL_INVALID').waitFor()
    expect(await faultsInAllLooks(page)).toEqual([])
    await page.goto(`${lab.server.url}/#/activity/none`)
    await page.getByText('there is no query "none"').waitFor()
  })

  test('finds queries by state, kind and words, and keeps that in the address', async () => {
    await ran('SELECT 7 AS needle')
    await ran('SELECT nope AS needle FROM events')
    await using opened = await lab.open('#/activity')
    const { page, faults } = opened
    const rows = page.locator('.activity-list tbody tr')
    await rows.first().waitFor()
    await page.getByRole('searchbox').fill('needle')
    await eventually('two are left', async () => (await rows.count()) === 2)
    await page.getByLabel('State').selectOption('failed')
    await eventually('one is left', async () => (await rows.count()) === 1)
    expect(new URL(page.url()).hash).toBe('#/activity?text=needle&state=failed')
    await page.reload()
    await rows.first().waitFor()
    expect(await rows.count()).toBe(1)
    await page.getByLabel('Kind').selectOption('import')
    await page.getByText('No query is like that.').waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
    await eventually('all are back', async () => (await rows.count()) > 2)
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'SQL', level: 1 }).waitFor()
    await page.keyboard.press('u')
    await rows.first().waitFor()
    expect(faults).toEqual([])
  })

  test('tells the same in fewer columns on a narrow screen', async () => {
    await using opened = await lab.open('#/activity', { viewport: { width: 380, height: 700 } })
    const { page } = opened
    await page.locator('.activity-list tbody tr').first().waitFor()
    await settle(page)
    expect(await isTooWide(page)).toBe(false)
    expect(await page.locator('.activity-list th').first().isVisible()).toBe(false)
    expect(await page.locator('.activity-list .narrow').first().innerText()).toMatch(/(just now|ago), \d/)
  })

  test('looks again only while it is looked at', async () => {
    await using opened = await lab.open('#/activity')
    const { page } = opened
    await page.locator('.activity-list tbody tr').first().waitFor()
    const answer = lab.server.sql(ENDLESS)
    await page.getByRole('list', { name: 'Running queries' }).waitFor()
    let asked = 0
    page.on('request', (request) => {
      if (request.url().includes('/queries')) asked++
    })
    await eventually('it looks again', () => asked >= 2, 5000)
    await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true })`)
    await page.waitForTimeout(1500)
    const before = asked
    await page.waitForTimeout(2500)
    expect(asked).toBe(before)
    await page.evaluate(`Object.defineProperty(document, 'hidden', { value: false, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
    await eventually('it looks again', () => asked >= before + 2, 5000)
    await lab.server.call('DELETE', `/api/v1/queries/${(await newest()).id}`)
    await answer
  })
})

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the activity view of a reader', () => {
  test('shows what runs without a button to end it', async () => {
    await using lab = await openPageLab({ tokens: true })
    await using opened = await lab.open('#/activity')
    const { page } = opened
    await page.getByRole('textbox', { name: 'Token' }).fill(TOKENS.reader)
    await page.keyboard.press('Enter')
    const answer = lab.server.sql(ENDLESS, { token: TOKENS.reader })
    const list = page.getByRole('list', { name: 'Running queries' })
    await list.getByText('reader').waitFor()
    expect(await list.getByRole('button').count()).toBe(0)
    const records = JSON.parse((await lab.server.call('GET', '/api/v1/queries', { token: TOKENS.reader })).text)
    await lab.server.call('DELETE', `/api/v1/queries/${records[0].id}`, { token: TOKENS.writer })
    await answer
  })
})
