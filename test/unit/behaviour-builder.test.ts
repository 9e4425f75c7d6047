/** The builder of the web page: every query of the language goes through its forms unharmed, and what it changes stays valid. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkQueryValue } from '../../src/behaviour/json.ts'
import type { AggregationType, TargetType } from '../../src/behaviour/types.ts'
import { expandQuery } from '../../src/behaviour/validate.ts'
import { check, faultsOfForm } from '../../web/src/views/behaviour/check.ts'
import {
  columnsOf,
  comparable,
  firstValue,
  operatorsFor,
  spanOf,
  typedValue,
} from '../../web/src/views/behaviour/columns.ts'
import {
  idOf,
  inserted,
  isObject,
  isSame,
  type Json,
  type JsonObject,
  LIMITS,
  moved,
  patched,
  printPretty,
  readText,
  replaced,
  without,
} from '../../web/src/views/behaviour/document.ts'
import {
  newAggregation,
  newFilter,
  newStep,
  settled,
  withAggregationType,
  withColumn,
  withOperator,
  withoutCondition,
  withTarget,
  withTargetType,
} from '../../web/src/views/behaviour/edits.ts'
import * as forms from '../../web/src/views/behaviour/forms.ts'
import { greatestLoss, stagesOf } from '../../web/src/views/behaviour/funnel-model.ts'
import { cliSnippet, curlSnippet, typescriptSnippet } from '../../web/src/views/behaviour/snippets.ts'
import { startersOf, stepColumns } from '../../web/src/views/behaviour/starters.ts'
import { arbitraryQuery } from '../oracle/arbitrary-query.ts'
import { arbitraryTable } from '../oracle/arbitrary-table.ts'
import type { OracleTable } from '../oracle/table.ts'
import { runs, tortureSeed } from '../torture.ts'

const RUNS = { numRuns: runs(400, 20_000), seed: tortureSeed() }

/** A table as the server describes it. */
function described({ columns, actor, time, timeUnit }: OracleTable) {
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  const structs = Map.groupBy(
    columns.filter(({ path }) => path),
    ({ path }) => path![0],
  )
  const nested = [...structs].map(([name, fields]) => ({
    name,
    type: `STRUCT(${fields.map(({ path, type }) => `${quoted(path![1])} ${type}`).join(', ')})`,
  }))
  const plain = columns.filter(({ path }) => !path).map(({ name, type }) => ({ name, type }))
  return { columns: [...plain, ...nested], keys: { actor, time, ...(timeUnit && { timeUnit }) } }
}

const cases = arbitraryTable().chain(({ table, source }) =>
  fc.record({ table: fc.constant(described(table)), query: arbitraryQuery(source) }),
)
const documentOf = (query: unknown) => checkQueryValue(query, LIMITS)

/** The query after each of its parts went through its form and back; parts without a form are noted. */
class Through {
  readonly fragments: Json[] = []

  query(query: Json): Json {
    if (!forms.isQueryForm(query)) return this.#fragment(query)
    const { timeframe, query: clause, funnel } = query
    if (timeframe !== undefined && !forms.isTimeframeForm(timeframe)) this.#fragment(timeframe)
    return patched(query, {
      query: clause === undefined ? undefined : this.#clause(clause),
      funnel: funnel === undefined ? undefined : this.#funnel(funnel),
    })
  }

  #clause(clause: Json): Json {
    if (!forms.isClauseForm(clause)) return this.#fragment(clause)
    const conditions = clause.conditions as Json[] | undefined
    return patched(clause, {
      conditions: conditions?.map((condition) => this.#condition(condition)),
      aggregations: this.#aggregations(clause.aggregations),
    })
  }

  #funnel(funnel: Json): Json {
    if (!forms.isFunnelForm(funnel)) return this.#fragment(funnel)
    return patched(this.#sequence(funnel), {
      stepAggregations: this.#aggregations(funnel.stepAggregations),
      endAggregations: this.#aggregations(funnel.endAggregations),
    })
  }

  #sequence(object: JsonObject): JsonObject {
    const steps = object.sequence as Json[]
    return patched(object, {
      sequence: steps.map((step) => {
        const rows = forms.readStep(step)
        return rows ? forms.writeRows(step as JsonObject, this.#rows(rows)) : this.#fragment(step)
      }),
    })
  }

  #rows(rows: forms.Rows): forms.Rows {
    return { ...rows, parts: rows.parts.map((part) => this.#filter(part)) }
  }

  #condition(condition: Json): Json {
    const kind = forms.kindOfCondition(condition)
    if (!kind || !isObject(condition)) return this.#fragment(condition)
    if (kind === 'sequence') return this.#sequence(condition)
    const target = condition.target === undefined ? undefined : forms.readTarget(condition.target)
    const written = target && { target: forms.writeTarget(target) }
    return patched(forms.writeRows(condition, this.#rows(forms.readRows(condition)!)), { ...written })
  }

  #filter(filter: Json): Json {
    const form = forms.readFilter(filter)
    if (!form) return this.#fragment(filter)
    if (form.kind === 'compare') return forms.writeFilter(form)
    if (form.kind === 'not') return forms.writeFilter({ ...form, of: this.#filter(form.of) })
    return forms.writeFilter({ ...form, parts: form.parts.map((part) => this.#filter(part)) })
  }

  #aggregations(list: Json | undefined): Json[] | undefined {
    return (list as Json[] | undefined)?.map((item) => {
      const form = forms.readAggregation(item)
      return form ? forms.writeAggregation(form) : this.#fragment(item)
    })
  }

  #fragment(part: Json): Json {
    this.fragments.push(part)
    return part
  }
}

describe('forms', () => {
  test('show every valid query, and give it back as it was', () => {
    let forms = 0
    fc.assert(
      fc.property(cases, ({ query }) => {
        const document = documentOf(query)
        const through = new Through()
        const back = through.query(document)
        expect(through.fragments).toEqual([])
        expect(back).toEqual(document)
        expect(expandQuery(back, LIMITS)).toEqual(expandQuery(query, LIMITS))
        forms += 1
      }),
      RUNS,
    )
    expect(forms).toBe(RUNS.numRuns)
  })

  test('leave alone what they do not know, wherever it stands', () => {
    const odd: Json[] = [
      1,
      { funnel: { sequence: [] } },
      { funnel: { sequence: [{ filter: ['a', '==', 1], color: 'red' }] } },
      { funnel: { sequence: [{ filter: ['a', '~', 1] }, 'x', { filter: ['a', 'in', []] }] } },
      {
        query: {
          conditions: [{ filter: ['a', '==', 1, 2] }, { filter: ['a', '==', null], target: ['sum', 'b', '>'] }],
        },
      },
      { query: { conditions: { a: 1 } } },
      {
        query: { conditions: [{ filter: { and: [] } }, { filter: { not: { a: 1 } } }, { target: ['count', '==', 1] }] },
      },
      {
        query: {
          aggregations: [
            { column: 'a', columns: ['b'] },
            { column: 'a', type: 'median' },
          ],
        },
      },
      { timeframe: { since: 3 }, extra: true },
      { timeframe: { from: null } },
    ]
    for (const query of odd) {
      const through = new Through()
      expect(through.query(query)).toEqual(query)
      expect(through.fragments, printPretty(query)).not.toEqual([])
    }
  })
})

describe('the text', () => {
  test('of every query is read back as the same query', () => {
    fc.assert(
      fc.property(cases, ({ query }) => {
        const document = documentOf(query)
        expect(readText(printPretty(document))).toEqual(document)
        expect(isSame(readText(printPretty(document)), document)).toBe(true)
      }),
      RUNS,
    )
  })

  test('keeps integers of any size, and has in one line what fits', () => {
    const text = '{ "timeframe": { "from": 12345678901234567890 } }'
    expect(printPretty(readText(text))).toBe(text)
    const query = {
      funnel: { sequence: ['docs', 'source', 'tests'].map((value) => ({ filter: ['event', '==', value] })) },
    }
    expect(printPretty(query)).toBe(`{
  "funnel": {
    "sequence": [
      { "filter": ["event", "==", "docs"] },
      { "filter": ["event", "==", "source"] },
      { "filter": ["event", "==", "tests"] }
    ]
  }
}`)
  })
})

/** A place in a query where something can be changed, and the query with that changed. */
type Site = { says: string; with(next: Json): Json; part: Json }

function sitesOf(query: Json): {
  filters: Site[]
  steps: Site[]
  targets: Site[]
  aggregations: Site[]
  clause?: JsonObject
} {
  const found = { filters: [] as Site[], steps: [] as Site[], targets: [] as Site[], aggregations: [] as Site[] }
  const filter = (part: Json, put: (next: Json) => Json) => {
    const form = forms.readFilter(part)
    if (form?.kind === 'compare') found.filters.push({ says: 'filter', part, with: put })
    if (form?.kind === 'not') filter(form.of, (of) => put({ not: of }))
    if (form?.kind === 'and' || form?.kind === 'or')
      form.parts.forEach((item, k) => {
        filter(item, (next) => put({ [form.kind]: replaced(form.parts, k, next) }))
      })
  }
  const rows = (object: JsonObject, put: (next: Json) => Json) => {
    const form = forms.readRows(object)!
    form.parts.forEach((part, k) => {
      filter(part, (next) => put(forms.writeRows(object, { ...form, parts: replaced(form.parts, k, next) })))
    })
    found.filters.push({
      says: 'further filter',
      part: ['x', '==', 1],
      with: (next) => put(forms.writeRows(object, { ...form, parts: [...form.parts, next] })),
    })
  }
  const sequence = (object: JsonObject, put: (next: Json) => Json) => {
    const steps = object.sequence as Json[]
    found.steps.push({ says: 'steps', part: steps, with: (next) => put(patched(object, { sequence: next })) })
    steps.forEach((step, k) => {
      rows(step as JsonObject, (next) => put(patched(object, { sequence: replaced(steps, k, next) })))
    })
  }
  const list = (object: JsonObject, key: string, put: (next: Json) => Json) => {
    const items = (object[key] as Json[] | undefined) ?? []
    items.forEach((part, k) => {
      found.aggregations.push({
        says: key,
        part,
        with: (next) => put(patched(object, { [key]: replaced(items, k, next) })),
      })
    })
    found.aggregations.push({
      says: `further ${key}`,
      part: null,
      with: (next) => put(patched(object, { [key]: [...items, next] })),
    })
  }
  const { query: clause = {}, funnel } = query as JsonObject & { query?: JsonObject; funnel?: JsonObject }
  const whole = (change: JsonObject) => patched(query as JsonObject, change)
  const conditions = (clause.conditions as JsonObject[] | undefined) ?? []
  conditions.forEach((condition, k) => {
    const put = (next: Json) => whole({ query: patched(clause, { conditions: replaced(conditions, k, next) }) })
    if (forms.kindOfCondition(condition) === 'sequence') {
      sequence(condition, put)
      return
    }
    rows(condition, put)
    found.targets.push({
      says: 'target',
      part: condition.target ?? null,
      with: (next) => put(withTarget(condition, forms.readTarget(next)!)),
    })
  })
  list(clause, 'aggregations', (next) => whole({ query: next }))
  if (funnel) {
    sequence(funnel, (next) => whole({ funnel: next }))
    list(funnel, 'stepAggregations', (next) => whole({ funnel: next }))
    list(funnel, 'endAggregations', (next) => whole({ funnel: next }))
  }
  return { ...found, clause }
}

const TYPES: (AggregationType | undefined)[] = [
  'count',
  'countPerValue',
  'groupsPerValue',
  'sumPerValue',
  'meanPerValue',
  'min',
  'max',
  'mean',
  'sum',
  'distinct',
  'quantiles',
  undefined,
]
const TARGETS: TargetType[] = ['count', 'sum', 'distinct', 'min', 'max', 'mean']

describe('edits', () => {
  const edited = fc.record({ chosen: cases, kind: fc.nat(6), site: fc.nat(50), a: fc.nat(50), b: fc.nat(50) })

  test('of a valid query give a valid query', () => {
    const done = new Map<string, number>()
    fc.assert(
      fc.property(edited, ({ chosen: { table, query }, kind, site, a, b }) => {
        const document = documentOf(query)
        expect(check(document, table).faults).toEqual([])
        const known = columnsOf(table)
        const pick = <T>(list: readonly T[], k: number): T | undefined => list[k % Math.max(1, list.length)]
        const sites = sitesOf(document)
        const valid = (says: string, next: Json) => {
          done.set(says, (done.get(says) ?? 0) + 1)
          expect({ says, faults: check(next, table).faults, next: printPretty(next) }).toMatchObject({ faults: [] })
        }
        const filter = pick(sites.filters, site)
        const form = filter && forms.readFilter(filter.part)
        const column = known.find(({ name }) => form?.kind === 'compare' && name === form.column)
        const other = pick(comparable(known), a)!
        if (kind === 0 && filter) return valid('new filter', filter.with(newFilter(other)))
        if (kind === 1 && filter && form?.kind === 'compare' && filter.says === 'filter') {
          return valid(
            'operator',
            filter.with(forms.writeFilter(withOperator(form, pick(operatorsFor(column), a)!, column))),
          )
        }
        if (kind === 2 && filter && form?.kind === 'compare' && filter.says === 'filter') {
          return valid('column', filter.with(forms.writeFilter(withColumn(form, other, column))))
        }
        const target = pick(sites.targets, site)
        if (kind === 3 && target) {
          const old =
            target.part === null
              ? { type: 'count' as const, op: '>=' as const, value: 1, notation: 'short' as const }
              : forms.readTarget(target.part)!
          const next = withTargetType(old, pick(TARGETS, a)!, known)
          return next && valid('target', target.with(forms.writeTarget(next)))
        }
        const figure = pick(sites.aggregations, site)
        if (kind === 4 && figure) {
          const old = forms.readAggregation(
            figure.part ??
              newAggregation(
                pick(
                  known.filter(({ class: name, type }) => name && type.kind !== 'list'),
                  b,
                ),
              ),
          )!
          const next = withAggregationType(old, pick(TYPES, a), known)
          return next && valid('aggregation', figure.with(forms.writeAggregation(next)))
        }
        const steps = pick(sites.steps, site)
        if (kind === 5 && steps) {
          const list = steps.part as Json[]
          const k = a % list.length
          const ways = [
            moved(list, k, b % list.length),
            inserted(list, k + 1, list[k]!),
            [...list, newStep(other)],
            without(list, k),
          ]
          const next = steps.with(settled(ways[(a + b) % ways.length]!))
          // What the places of steps do not allow is refused by the page.
          if (faultsOfForm(next).length === 0) valid('steps', next)
          else done.set('refused', (done.get('refused') ?? 0) + 1)
          return
        }
        const count = ((sites.clause?.conditions as Json[] | undefined) ?? []).length
        if (kind === 6 && count > 0) {
          const next = withoutCondition(sites.clause!, a % count)
          if (typeof next !== 'string') valid('condition away', patched(document as JsonObject, { query: next }))
        }
      }),
      { ...RUNS, numRuns: RUNS.numRuns * 3 },
    )
    expect([...done.keys()].sort()).toEqual([
      'aggregation',
      'column',
      'condition away',
      'new filter',
      'operator',
      'refused',
      'steps',
      'target',
    ])
    expect(done.get('steps')!).toBeGreaterThan(done.get('refused')!)
  })

  test('keep the operand as far as the operator takes it', () => {
    const [column] = columnsOf({ columns: [{ name: 'files', type: 'INTEGER' }] })
    const read = (filter: Json) => forms.readFilter(filter) as forms.Comparison
    const to = (filter: Json, op: forms.Comparison['op']) => forms.writeFilter(withOperator(read(filter), op, column))
    expect(to(['files', '==', 3], 'in')).toEqual(['files', 'in', [3]])
    expect(to(['files', 'in', [3, 4, 5]], 'between')).toEqual(['files', 'between', [3, 4]])
    expect(to(['files', 'between', [3, 4]], '<')).toEqual(['files', '<', 3])
    expect(to(['files', '<', 3], 'is null')).toEqual(['files', 'is null'])
    expect(to({ column: 'files', op: 'is null' }, '>')).toEqual({ column: 'files', op: '>', value: 0 })
  })

  test('do not take a condition from a relation that needs it, and count the others anew', () => {
    const conditions = ['a', 'b', 'c'].map((event) => ({ filter: ['event', '==', event] }))
    const clause = { relation: '$0 and not $2', conditions }
    expect(withoutCondition(clause, 2)).toMatch(/needs this condition/)
    expect(withoutCondition(clause, 1)).toEqual({
      relation: '$0 and not $1',
      conditions: [conditions[0], conditions[2]],
    })
    expect(withoutCondition({ relation: 'or', conditions: [conditions[0]!] }, 0)).toEqual({})
  })

  test('know a step by its name on the page after it was changed', () => {
    const step = { filter: ['event', '==', 'docs'] }
    const changed = patched(step, { name: 'first' })
    expect(idOf(changed)).toBe(idOf(step))
    expect(idOf({ filter: ['event', '==', 'docs'] })).not.toBe(idOf(step))
    expect(
      Object.keys(forms.writeRows({ name: 'x', filter: 1, within: '1d' }, { key: 'filter', parts: [1, 2] })),
    ).toEqual(['name', 'filters', 'within'])
  })
})

describe('what is typed', () => {
  test('becomes a value of the column’s kind, or stays text that is then told', () => {
    expect(typedValue(' 12 ', 'integer')).toBe(12)
    expect(typedValue('98765432109876543210', 'integer')).toBe(98765432109876543210n)
    expect(typedValue('1.', 'float')).toBe('1.')
    expect(typedValue('many', 'integer')).toBe('many')
    expect(typedValue('TRUE', 'boolean')).toBe(true)
    expect(typedValue(' a ', 'string')).toBe(' a ')
    expect(typedValue('12', 'string')).toBe('12')
  })

  test('is a number as a span of time only where spans may be numbers', () => {
    const [time, number] = columnsOf({
      columns: [
        { name: 'ts', type: 'TIMESTAMP' },
        { name: 'n', type: 'BIGINT' },
      ],
    })
    expect(spanOf('30', time)).toBe('30')
    expect(spanOf(' 30d ', time)).toBe('30d')
    expect(spanOf('30', number)).toBe(30)
    expect(firstValue(time)).toBe('2000-01-01T00:00:00')
  })
})

describe('what is wrong', () => {
  const table = {
    columns: [
      { name: 'who', type: 'VARCHAR' },
      { name: 'ts', type: 'TIMESTAMP' },
      { name: 'n', type: 'INTEGER' },
    ],
    keys: { actor: 'who', time: 'ts' },
  }

  test('is told at its place without asking the server, and the meaning where nothing is', () => {
    const faulty = { funnel: { sequence: [{ filter: ['n', '==', 'x'] }, { filter: ['m', '==', 1], within: 'soon' }] } }
    expect(check(faulty, table).faults.map(({ path }) => path)).toEqual(['/funnel/sequence/1/within'])
    const typed = { funnel: { sequence: [{ filter: ['n', '==', 'x'] }, { filter: ['m', '==', 1] }] } }
    expect(check(typed, table).faults.map(({ path }) => path)).toEqual([
      '/funnel/sequence/0/filter/2',
      '/funnel/sequence/1/filter/0',
    ])
    expect(check({ query: { conditions: [{ filter: ['n', '>', 1] }] } }, table).words.join(' ')).toContain(
      'n is greater than 1',
    )
  })
})

describe('snippets', () => {
  const query = {
    query: {
      conditions: [{ filter: ['event', '==', `it's $HOME "\\`] }, { filter: ['n', '==', 98765432109876543210n] }],
    },
  }

  test('carry any text and number', () => {
    const cli = cliSnippet({ table: 'events', query, at: '17', pool: 'inline' })
    expect(cli).toMatch(/^skep query events --query '/)
    expect(cli).toMatch(/ --at 17 --pool inline$/)
    const word = /--query '(.*)' --at/s.exec(cli)![1]!.replaceAll(`'\\''`, "'")
    expect(readText(word)).toEqual(query)
    expect(typescriptSnippet({ table: 'events', query })).toContain('98765432109876543210n')
    expect(curlSnippet({ table: 'events', query }, 'http://localhost/api?at=1', true)).toMatch(
      /^curl -sS 'http:\/\/localhost\/api\?at=1'/,
    )
  })
})

describe('starters', () => {
  test('follow the most telling text column', () => {
    const columns = columnsOf({
      columns: [
        { name: 'user', type: 'VARCHAR' },
        { name: 'country', type: 'VARCHAR' },
        { name: 'event', type: 'VARCHAR' },
        { name: 'n', type: 'INTEGER' },
      ],
    })
    expect(stepColumns(columns, { actor: 'user' }).map(({ name }) => name)).toEqual(['event', 'country'])
    const starters = startersOf('event', ['a', 'b', 'c', 'd'])
    expect(starters.map(({ title }) => title)).toEqual(['a → b → c', 'b → a', 'c → a'])
    for (const { query } of starters) expect(faultsOfForm(query)).toEqual([])
    expect(startersOf('event', ['a'])).toEqual([])
  })
})

describe('stages', () => {
  const query = {
    funnel: {
      sequence: [
        { filter: ['e', '==', 'no'], rowFound: false },
        { filter: ['e', '==', 'a'] },
        { filter: ['e', '==', 'b'], optional: true },
        { name: 'end', filter: ['n', '>', 3] },
      ],
    },
  }
  const step = (index: number, matchingGroups: number) => ({
    index,
    matchingGroups,
    matchingGroupRows: 10,
    conversionRate: matchingGroups / 8,
  })

  test('are named, and lose from the required step before', () => {
    const stages = stagesOf(query, [
      { ...step(1, 8) },
      { ...step(2, 1), stepRate: 1 / 8 },
      { ...step(3, 6), stepRate: 6 / 8, name: 'end' },
    ])
    expect(stages.map(({ title, lost, isOptional }) => [title, lost, isOptional])).toEqual([
      ['a', undefined, false],
      ['b', 7, true],
      ['end', 2, false],
    ])
    expect(stages[2]!.about).toBe('n is greater than 3')
    expect(greatestLoss(stages)?.title).toBe('end')
  })
})
