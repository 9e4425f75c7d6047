/** Queries to begin with, made from the tables that there are. */
import * as format from '../../format.ts'
import type { TableDescription } from '../../session.ts'

/** A query to begin with. */
export interface Example {
  title: string
  table: string
  sql: string
  /** The tab that shows its result best. */
  tab?: 'chart'
}

type Column = TableDescription['columns'][number]

/** Queries over a table: over time, by a category, and its first rows. */
export function examplesOf(table: TableDescription): Example[] {
  const { name, columns } = table
  const from = `FROM ${format.identifier(name)}`
  const time = columns.find(({ type }) => /^(DATE$|TIMESTAMP)/.test(type))
  const category = categoryOf(table)
  const amount = columns.find((column) => isAmount(column, table))
  const examples: (Example | undefined)[] = [
    time && { title: `Rows by ${unitOf(time)}`, table: name, sql: overTime(time, from), tab: 'chart' },
    category && {
      title: `Most frequent ${category.name}`,
      table: name,
      sql: `SELECT ${format.identifier(category.name)}, count(*) AS n\n${from}\nGROUP BY ALL\nORDER BY n DESC\nLIMIT 20`,
      tab: 'chart',
    },
    category &&
      amount && {
        title: `${amount.name} by ${category.name}`,
        table: name,
        sql: `SELECT ${format.identifier(category.name)}, round(avg(${format.identifier(amount.name)}), 2) AS mean, count(*) AS n\n${from}\nGROUP BY ALL\nORDER BY n DESC\nLIMIT 100`,
      },
    { title: 'First rows', table: name, sql: `SELECT *\n${from}\nLIMIT 100` },
    { title: 'Summary of all columns', table: name, sql: `SUMMARIZE ${format.identifier(name)}` },
  ]
  return examples.filter((example) => example !== undefined).slice(0, 4)
}

function overTime(time: Column, from: string): string {
  const unit = unitOf(time)
  return `SELECT date_trunc('${unit}', ${format.identifier(time.name)}) AS ${unit}, count(*) AS n\n${from}\nGROUP BY ALL\nORDER BY ${unit}`
}

const DAY_MS = 86_400_000

function unitOf({ min, max }: Column): 'hour' | 'day' | 'week' | 'month' {
  const days = (Date.parse(String(max)) - Date.parse(String(min))) / DAY_MS
  if (!(days >= 0)) return 'day'
  if (days <= 4) return 'hour'
  if (days <= 250) return 'day'
  return days <= 1500 ? 'week' : 'month'
}

/** A column of texts, the actor last: it has most values. */
function categoryOf({ columns, keys }: TableDescription): Column | undefined {
  const texts = columns.filter(({ type }) => type === 'VARCHAR')
  return texts.find(({ name }) => name !== keys.actor && !/(^|_)(id|uuid|url|email)$/i.test(name)) ?? texts[0]
}

function isAmount({ name, type }: Column, { keys }: TableDescription): boolean {
  return format.isNumeric(type) && name !== keys.actor && name !== keys.time && !/(^|_)id$/i.test(name)
}
