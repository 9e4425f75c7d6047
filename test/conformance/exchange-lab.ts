/** Two engines beside each other, as the two ends of an exchange. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSettings } from '../../src/config.ts'
import { Engine, type Session } from '../../src/engine/engine.ts'
import { DiskExchange, newQueryName } from '../../src/exchange/disk-exchange.ts'
import type { Rows, RowsColumn } from '../../src/exchange/exchange.ts'
import { type TakeOptions, takeRows } from '../../src/exchange/take-rows.ts'

/** Rows go from one session to the other. */
export interface ExchangeLab extends AsyncDisposable {
  root: string
  exchange: DiskExchange
  from: Session
  to: Session
  /** The rows of a query of the first session after a way as JSON; every time as another attempt. */
  take(sql: string, columns: readonly RowsColumn[], options?: Partial<TakeOptions>): Promise<Rows>
}

/** The columns of a query as DuckDB describes them. */
export async function columnsOf(session: Session, sql: string): Promise<RowsColumn[]> {
  return await session.rows<RowsColumn>(`SELECT column_name AS "name", column_type AS "type" FROM (DESCRIBE ${sql})`)
}

/** A new lab in a folder of its own; both engines are fenced. */
export async function openExchangeLab(): Promise<ExchangeLab> {
  const root = mkdtempSync(join(tmpdir(), 'skep-exchange-'))
  const settings = readSettings({ SKEP_THREADS: '2' })
  const open = async (k: number) => await Engine.open({ settings, spillPath: `${root}/.tmp/${k}`, roots: [root] })
  const engines = [await open(1), await open(2)]
  const [from, to] = [await engines[0]!.session(), await engines[1]!.session()]
  const exchange = new DiskExchange(root, newQueryName())
  let attempts = 0
  return {
    root,
    exchange,
    from,
    to,
    take: async (sql, columns, options) => {
      const attempt = `a${++attempts}`
      const rows = await takeRows(from, sql, { exchange, settings, attempt, name: 'rows', columns, ...options })
      return JSON.parse(JSON.stringify(rows))
    },
    [Symbol.asyncDispose]: async () => {
      for (const session of [from, to]) session.close()
      for (const engine of engines) await engine[Symbol.asyncDispose]()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Objects whatever the number of rows. */
export const ALL_AS_OBJECTS = { inlineRows: 0, inlineBytes: 0, exchangeParts: 64 }

/** What differs between a view and the query whose rows it should have, or undefined: rows, types, the texts of values, and their order. */
export async function differenceOf(
  session: Session,
  view: string,
  sql: string,
  { ordered = true } = {},
): Promise<string | undefined> {
  const place = ordered ? 'row_number() OVER ()' : '0'
  const numbered = (from: string) => `SELECT ${place} AS "row", t, t::VARCHAR AS "text" FROM ${from} t`
  const [a, b] = [numbered(view), numbered(`(${sql})`)]
  const found = await session.rows<{ side: string; text: string }>(
    `(SELECT 'more' AS side, x::VARCHAR AS "text" FROM ((${a}) EXCEPT ALL (${b})) x) UNION ALL
     (SELECT 'less', x::VARCHAR FROM ((${b}) EXCEPT ALL (${a})) x) LIMIT 5`,
  )
  if (found.length > 0)
    return found
      .map(({ side, text }) => `${side} ${text}`)
      .join('; ')
      .slice(0, 1000)
  const types = [await columnsOf(session, `FROM ${view}`), await columnsOf(session, sql)]
  const [got, wanted] = types.map((columns) => JSON.stringify(columns))
  return got === wanted ? undefined : `columns ${got} instead of ${wanted}`
}
