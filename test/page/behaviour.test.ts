/** The behaviour view: queries that are built by clicking and typing, and what they answer. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRIBUTIONS, ENDLESS } from '../server/lab.ts'
import { faultsInAllLooks, noBrowser, openPageLab, type PageLab } from './lab.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const run = promisify(execFile)

const FUNNEL = {
  funnel: {
    sequence: [
      { filter: ['event', '==', 'docs'] },
      { filter: ['event', '==', 'source'], within: '30d' },
      { filter: ['event', '==', 'tests'] },
    ],
  },
}
const linkTo = (query: unknown, table = 'events') =>
  `#/behaviour/${table}?q=${encodeURIComponent(JSON.stringify(query))}`

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the behaviour view', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab({
      env: { SKEP_CONCURRENT_QUERIES: '2' },
      prepare: async (_, warehouse) => {
        await warehouse.import('twice', [CONTRIBUTIONS], { actor: 'actor', time: 'ts' })
        await warehouse.import('twice', [CONTRIBUTIONS], {})
        await warehouse.import('keyless', [CONTRIBUTIONS], {})
      },
    })
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  const field = (page: Page, name: string | RegExp) => page.getByRole('combobox', { name })
  const queryOf = (page: Page): unknown =>
    JSON.parse(new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('q') ?? '{}')
  const settledQuery = async (page: Page, wanted: unknown) => await expect.poll(() => queryOf(page)).toEqual(wanted)
  const bars = (page: Page) => page.getByRole('list', { name: 'Funnel' }).getByRole('group')
  const labels = async (page: Page) =>
    await bars(page).evaluateAll((nodes) => nodes.map((node) => (node as unknown as { ariaLabel: string }).ariaLabel))
  const pick = async (page: Page, label: string, text: string) => {
    await field(page, label).click()
    await field(page, label).fill(text)
    await page.getByRole('listbox').getByRole('option', { name: text }).click()
  }
  const answerOfCli = async (query: unknown) => {
    const { stdout } = await run(process.execPath, [
      MAIN,
      'query',
      'events',
      '--query',
      JSON.stringify(query),
      '--json',
      '--warehouse',
      lab.server.lab.root,
    ])
    return JSON.parse(stdout) as { query: Record<string, number>; funnel: { sequence: Record<string, number>[] } }
  }

  test('answers a funnel that was built by clicking and typing as the command line does', async () => {
    await using opened = await lab.open('#/behaviour/events')
    const { page, faults } = opened
    await page.getByRole('button', { name: 'Add first step' }).click()
    await pick(page, 'Value of step 1', 'docs')
    await page.getByRole('button', { name: 'Add step' }).click()
    await pick(page, 'Value of step 2', 'source')
    await page.getByRole('textbox', { name: 'Step 2: within what time of the step before' }).fill('30d')
    await page.getByRole('button', { name: 'Add step' }).click()
    expect(await field(page, 'Value of step 3').evaluate((node) => node === node.ownerDocument.activeElement)).toBe(
      true,
    )
    await page.keyboard.type('tests')
    await page.keyboard.press('Control+Enter')
    await bars(page).first().waitFor()
    await settledQuery(page, FUNNEL)
    const { funnel, query } = await answerOfCli(FUNNEL)
    const number = (value: number) => new Intl.NumberFormat('en').format(value)
    const percent = (value: number) =>
      new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 }).format(value)
    const names = ['docs', 'source', 'tests']
    expect(await labels(page)).toEqual(
      funnel.sequence.map(({ matchingGroups, matchingGroupRows, conversionRate, stepRate }, k) =>
        [
          `Step ${k + 1}, ${names[k]}`,
          `${number(matchingGroups!)} actors`,
          `${percent(conversionRate!)} of the first step`,
          ...(stepRate === undefined ? [] : [`${percent(stepRate)} of the step before`]),
          `${number(matchingGroupRows!)} rows of theirs`,
        ].join('; '),
      ),
    )
    await page
      .getByText(`Of ${number(query.matchingGroups!)} actors with ${number(query.matchingGroupRows!)} rows.`)
      .waitFor()
    await page.getByRole('button', { name: 'Show table' }).click()
    const lost = funnel.sequence[0]!.matchingGroups! - funnel.sequence[1]!.matchingGroups!
    const row = page.getByRole('row', { name: /source/ })
    expect(await row.innerText()).toContain(number(lost))
    expect(faults).toEqual([])
  })

  test('suggests values of the column, most frequent first, and takes one by keys', async () => {
    await using opened = await lab.open('#/behaviour/events')
    const { page } = opened
    await page.getByRole('button', { name: 'Add first step' }).click()
    const options = page.getByRole('listbox').getByRole('option')
    await options.first().waitFor()
    expect((await options.allInnerTexts()).slice(0, 3).map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      'source 54,975',
      'tests 23,076',
      'docs 19,150',
    ])
    await page.keyboard.type('b')
    await expect.poll(async () => await options.allInnerTexts()).toEqual([expect.stringMatching(/^build\s+13,881$/)])
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    expect(await field(page, 'Value of step 1').inputValue()).toBe('build')
    await settledQuery(page, { funnel: { sequence: [{ filter: ['event', '==', 'build'] }] } })
  })

  test('moves steps by keys and keeps them valid', async () => {
    await using opened = await lab.open(linkTo(FUNNEL))
    const { page, faults } = opened
    await page.getByRole('button', { name: /^Move step 2/ }).focus()
    await page.keyboard.press('ArrowUp')
    await page.getByText('Step 2 is now step 1 of 3.').waitFor()
    const [docs, source, tests] = FUNNEL.funnel.sequence
    const { within: _, ...first } = source!
    await settledQuery(page, { funnel: { sequence: [first, docs, tests] } })
    await page.waitForFunction(`document.activeElement.ariaLabel?.startsWith('Move step 1')`)
    await page.keyboard.press('ArrowDown')
    await page.waitForFunction(`document.activeElement.ariaLabel?.startsWith('Move step 2')`)
    await page.keyboard.press('ArrowDown')
    await settledQuery(page, { funnel: { sequence: [docs, tests, first] } })
    await page.getByRole('button', { name: 'More for step 2' }).click()
    await page.getByRole('menuitem', { name: 'Must not happen' }).click()
    await page.getByRole('button', { name: 'More for step 1' }).click()
    await page.getByRole('menuitem', { name: 'Duplicate' }).click()
    await settledQuery(page, { funnel: { sequence: [docs, docs, { ...tests, rowFound: false }, first] } })
    await page.getByRole('button', { name: 'More for step 1' }).click()
    await page.getByRole('menuitem', { name: 'Remove' }).click()
    await settledQuery(page, { funnel: { sequence: [docs, { ...tests, rowFound: false }, first] } })
    expect(faults).toEqual([])
  })

  test('moves steps with the pointer', async () => {
    await using opened = await lab.open(linkTo(FUNNEL))
    const { page } = opened
    await page.getByRole('button', { name: /^Move step 3/ }).dragTo(page.getByRole('button', { name: /^Move step 1/ }))
    const [docs, source, tests] = FUNNEL.funnel.sequence
    await settledQuery(page, { funnel: { sequence: [tests, docs, source] } })
  })

  test('has the query as JSON beside the forms, in step both ways', async () => {
    await using opened = await lab.open(linkTo(FUNNEL))
    const { page, faults } = opened
    await page.getByRole('tab', { name: 'JSON' }).click()
    const editor = page.getByRole('textbox', { name: 'Query as JSON' })
    await page.locator('.cm-content').waitFor()
    expect(JSON.parse((await editor.innerText()).replaceAll('\u00a0', ' '))).toEqual(FUNNEL)
    const write = async (text: string) => {
      await editor.click()
      await page.keyboard.press('Control+a')
      await page.keyboard.insertText(text)
    }
    await write('{"funnel": {"sequence": [')
    await page.getByText(/the query is not JSON: .* The query stays what it was/).waitFor()
    expect(await page.getByRole('button', { name: 'Run', exact: true }).isDisabled()).toBe(true)
    await page.getByRole('tab', { name: 'Builder' }).click()
    expect(await field(page, 'Value of step 3').inputValue()).toBe('tests')
    await page.getByRole('tab', { name: 'JSON' }).click()
    await page.locator('.cm-content').waitFor()
    const odd = {
      funnel: {
        sequence: [
          { filters: [['files', 'between', [1, 98765432109876]]] },
          { filter: ['event', '==', 'ci'], colour: 'red' },
        ],
      },
    }
    await write(JSON.stringify(odd))
    await page
      .getByText(/unknown key "colour"|"colour"/)
      .first()
      .waitFor()
    await page.getByRole('tab', { name: 'Builder' }).click()
    expect(await field(page, 'Greatest value of step 1').inputValue()).toBe('98765432109876')
    const fragment = page.getByRole('textbox', { name: 'step 2, as JSON' })
    expect(JSON.parse(await fragment.inputValue())).toEqual(odd.funnel.sequence[1])
    await field(page, 'Least value of step 1').fill('2')
    await fragment.fill('{"filter": ["event", "==", "ci"]}')
    const mended = {
      funnel: {
        sequence: [{ filters: [['files', 'between', [2, 98765432109876]]] }, { filter: ['event', '==', 'ci'] }],
      },
    }
    await settledQuery(page, mended)
    expect(await field(page, 'Value of step 2').inputValue()).toBe('ci')
    expect(faults).toEqual([])
  })

  test('builds conditions with targets, groups and a relation, a timeframe and figures', async () => {
    await using opened = await lab.open('#/behaviour/events')
    const { page, faults } = opened
    await page.getByRole('button', { name: 'Condition', exact: true }).click()
    await pick(page, 'Value of condition 1', 'docs')
    await field(page, 'What is counted for condition 1').selectOption('sum')
    await page.getByRole('textbox', { name: 'Number for condition 1' }).fill('100')
    await page.getByRole('button', { name: 'Add a filter to condition 1' }).click()
    await field(page, 'Column of condition 1, filter 2').selectOption('project')
    await field(page, 'Operator of condition 1, filter 2').selectOption('in')
    const values = field(page, 'Values of condition 1, filter 2')
    for (const project of ['zod', 'vitest']) {
      await values.fill(project)
      await values.press('Enter')
    }
    await page.getByRole('button', { name: 'Sequence', exact: true }).click()
    await pick(page, 'Value of step 1', 'ci')
    await field(page, 'How the conditions are joined').selectOption('custom')
    await page.getByRole('textbox', { name: 'Expression that joins the conditions' }).fill('$0 and not $1')
    await page.getByRole('textbox', { name: /^From, included/ }).fill('2020-01-01')
    await page.getByRole('button', { name: 'Add a figure: for all who match' }).click()
    await field(page, 'Kind of figure 1, for all who match').selectOption('quantiles')
    const built = {
      query: {
        conditions: [
          {
            filters: [
              ['event', '==', 'docs'],
              ['project', 'in', ['zod', 'vitest']],
            ],
            target: ['sum', 'files', '>=', 100],
          },
          { sequence: [{ filter: ['event', '==', 'ci'] }] },
        ],
        relation: '$0 and not $1',
        aggregations: [{ column: 'files', type: 'quantiles', q: [0.5, 0.9] }],
      },
      timeframe: { from: '2020-01-01' },
    }
    await settledQuery(page, built)
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    const { query } = await answerOfCli(built)
    const { aggregations } = query as unknown as { aggregations: { value: Record<string, number> }[] }
    const matched = page.locator('.stat', { hasText: 'Actors that match' }).locator('dd')
    await matched.waitFor()
    expect(await matched.innerText()).toBe(String(query.matchingGroups))
    expect(query.matchingGroups).toBeGreaterThan(0)
    const figure = page.getByRole('group', { name: 'Quantiles of files', exact: true }).first()
    expect((await figure.getByRole('listitem').allInnerTexts()).map((text) => text.split(/\s+/))).toEqual(
      Object.entries(aggregations[0]!.value).map(([q, value]) => [q, String(value)]),
    )
    await page.getByText('Only rows with ts from "2020-01-01" on count.').waitFor()
    expect(faults).toEqual([])
  })

  test('says at its field what is wrong, also when only the server can know', async () => {
    await using opened = await lab.open(linkTo({ query: { conditions: [{ filter: ['files', '>', 3] }] } }))
    const { page } = opened
    await page.locator('.stat', { hasText: 'Actors that match' }).waitFor()
    const value = field(page, 'Value of condition 1')
    await value.fill('many')
    await page.locator('.bh-filter', { hasText: /"many"/ }).waitFor()
    expect(await page.getByRole('button', { name: 'Run', exact: true }).isDisabled()).toBe(true)
    await field(page, 'Table').focus()
    await page.getByRole('button', { name: /^"many"|^Column|many/ }).click()
    expect(await value.evaluate((node) => node === node.ownerDocument.activeElement)).toBe(true)
    await value.fill('4')
    await page.locator('.bh-filter .bh-fault').waitFor({ state: 'detached' })
    await field(page, 'Column of condition 1').selectOption('event')
    await field(page, 'Operator of condition 1').selectOption('matches')
    await value.fill('(')
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.getByRole('alert').filter({ hasText: 'QUERY_INVALID' }).waitFor()
    expect(await page.locator('.bh-filter .bh-fault').count()).toBe(1)
    await value.fill('^(docs|ci)$')
    expect(await page.locator('.bh-filter .bh-fault').count()).toBe(0)
  })

  test('saves, opens and removes queries, and comes back after a reload', async () => {
    await using opened = await lab.open(linkTo(FUNNEL), { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page, faults } = opened
    await bars(page).first().waitFor()
    const before = await labels(page)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('From docs to tests')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved as “From docs to tests”.').waitFor()
    const saved = await lab.server.warehouse.savedQuery('From docs to tests')
    expect(saved).toMatchObject({ kind: 'query', table: 'events' })
    await page.reload()
    await bars(page).first().waitFor()
    expect(await labels(page)).toEqual(before)
    await page.getByRole('button', { name: 'Share and download' }).click()
    await page.getByRole('menuitem', { name: 'Copy link' }).click()
    const link = await page.evaluate<string>('navigator.clipboard.readText()')
    await page.getByRole('button', { name: 'Share and download' }).click()
    await page.getByRole('menuitem', { name: 'Start anew' }).click()
    await page.getByRole('button', { name: 'Add first step' }).waitFor()
    await settledQuery(page, {})
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await page.getByRole('button', { name: /^From docs to tests/ }).click()
    await bars(page).first().waitFor()
    expect(await labels(page)).toEqual(before)
    await settledQuery(page, FUNNEL)
    await page.goto('about:blank')
    await page.goto(link)
    await bars(page).first().waitFor()
    expect(await labels(page)).toEqual(before)
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await page.getByRole('button', { name: 'Remove From docs to tests' }).click()
    await page.getByText('Nothing is saved yet').waitFor()
    expect(await lab.server.warehouse.savedQueries()).toEqual([])
    expect(faults).toEqual([])
  })

  test('gives the query to the command line, to programs and to curl, and the answer as a file', async () => {
    const query = { query: { conditions: [{ filter: ['project', 'in', ["it's", 'zod']] }] } }
    await using opened = await lab.open(linkTo(query))
    const { page } = opened
    await page.locator('.stat', { hasText: 'Actors that match' }).waitFor()
    await page.getByRole('button', { name: 'Share and download' }).click()
    const download = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: 'Download the answer as JSON' }).click()
    const answer = JSON.parse(readFileSync(await (await download).path(), 'utf8'))
    await page.getByRole('button', { name: 'Share and download' }).click()
    await page.getByRole('menuitem', { name: /^Use elsewhere/ }).click()
    const snippet = async () => await page.locator('.bh-snippet').innerText()
    const shell = async (command: string) => (await run('bash', ['-c', command])).stdout
    const skep = `skep() { '${process.execPath}' '${MAIN}' "$@" --json --warehouse '${lab.server.lab.root}'; };`
    const fromCli = JSON.parse(await shell(`${skep} ${await snippet()}`))
    expect(fromCli.query).toEqual(answer.query)
    expect(answer.query.matchingGroups).toBeGreaterThan(0)
    await page.getByRole('tab', { name: 'TypeScript' }).click()
    expect(await snippet()).toMatch(/warehouse\.query\("events", \{\s+"query": \{/)
    await page.getByRole('tab', { name: 'curl' }).click()
    expect(JSON.parse(await shell(await snippet())).query).toEqual(answer.query)
  })

  test('ends a query that nobody wants any more', async () => {
    await using opened = await lab.open('#/behaviour/events')
    const { page } = opened
    await page.getByRole('button', { name: /^Everybody/ }).waitFor()
    const stop = new AbortController()
    const held = [1, 2].map(() => lab.server.sql(ENDLESS, { signal: stop.signal }).catch(() => {}))
    await expect
      .poll(async () => (await lab.server.call('GET', '/api/v1/queries?limit=2')).text)
      .toMatch(/running.*running/s)
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.getByRole('progressbar').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
    const newest = async () => JSON.parse((await lab.server.call('GET', '/api/v1/queries?limit=1')).text)[0]
    await expect.poll(newest).toMatchObject({ kind: 'query', table: 'events', state: 'cancelled' })
    expect(await page.getByRole('alert').count()).toBe(0)
    stop.abort()
    await Promise.all(held)
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.locator('.stat', { hasText: 'Their rows' }).waitFor()
  })

  test('begins with funnels made of the data, and asks a table as it was', async () => {
    await using opened = await lab.open('#/behaviour/twice')
    const { page, faults } = opened
    await page.getByRole('button', { name: /^source → tests → docs/ }).click()
    await bars(page).first().waitFor()
    const rows = async () => (await labels(page))[0]
    const now = await rows()
    expect(now).toContain('Step 1, source')
    const times = field(page, 'As of')
    await times.selectOption({ index: 1 })
    await page.getByText('The query has changed since this answer.').waitFor()
    await page.getByRole('button', { name: 'Run again' }).click()
    await page.getByText('The query has changed since this answer.').waitFor({ state: 'detached' })
    const then = await rows()
    const rowsIn = (text: string | undefined) => Number(/([\d,]+) rows/.exec(text!)![1]!.replaceAll(',', ''))
    expect(rowsIn(now)).toBe(2 * rowsIn(then))
    expect(faults).toEqual([])
  })

  test('says what a table lacks, and offers those that lack nothing', async () => {
    await using opened = await lab.open('#/behaviour/keyless')
    const { page } = opened
    await page.getByText('skep import events.csv --table keyless --actor user_id --time ts').waitFor()
    await field(page, 'Table').selectOption('events')
    await page.getByRole('button', { name: 'Add first step' }).waitFor()
    await page.goto(`${lab.server.url}/#/behaviour`)
    await page.getByRole('link', { name: /^twice/ }).click()
    await page.getByRole('button', { name: 'Add first step' }).waitFor()
    expect(new URL(page.url()).hash).toBe('#/behaviour/twice')
  })

  test('has no faults of access in any look', async () => {
    const full = {
      query: {
        conditions: [
          { filter: { or: [['event', 'in', ['docs', 'ci']], { not: ['files', 'between', [1, 3]] }] }, name: 'a' },
          { sequence: FUNNEL.funnel.sequence },
        ],
        relation: '$a or $1',
        aggregations: [{ column: 'project' }],
      },
      funnel: {
        sequence: [...FUNNEL.funnel.sequence, { filter: ['event', '==', 'ci'], optional: true }],
        stepAggregations: [
          { column: 'project', type: 'groupsPerValue', top: 5 },
          { column: 'files', type: 'mean' },
        ],
        hold: 'project',
      },
      timeframe: { from: '2020-01-01' },
    }
    await using opened = await lab.open('#/behaviour/events')
    const { page, faults } = opened
    await page.getByRole('button', { name: /^source → tests → docs/ }).waitFor()
    expect(await faultsInAllLooks(page)).toEqual([])
    await page.goto(`${lab.server.url}/${linkTo(full)}`)
    await bars(page).first().waitFor()
    expect(await faultsInAllLooks(page)).toEqual([])
    await page.getByRole('button', { name: 'Show table' }).click()
    await page.getByRole('tab', { name: 'JSON' }).click()
    await page.locator('.cm-content').waitFor()
    expect(await faultsInAllLooks(page)).toEqual([])
    await page.getByRole('button', { name: 'Share and download' }).click()
    await page.getByRole('menuitem', { name: /^Use elsewhere/ }).click()
    expect(await faultsInAllLooks(page)).toEqual([])
    expect(faults).toEqual([])
  })
})
