/** Views of files. A statement is planned over one file of each, and planned again over all of them when it runs: the engine would look at all of them both times. */
import type { DataFile, Table } from '../catalog/types.ts'
import { quoteIdentifier } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import { scanSql } from './scan.ts'

/** Files of a table under a name that statements have for them. */
export interface TableView {
  name: string
  table: Table
  files: readonly DataFile[]
}

/** Statements that make views: of each by its name one over `first` files, with the same columns, and over `all` files where those are more. */
export interface ViewsSql {
  first: Map<string, string>
  all: string[]
}

/** The statements that make these views. */
export function viewsSql(views: readonly TableView[]): ViewsSql {
  const isLong = ({ files }: TableView) => files.length > SETTINGS.plannedFiles.default
  const first = views.map((view) => (isLong(view) ? { ...view, files: view.files.slice(0, 1) } : view))
  return { first: new Map(first.map((view) => [view.name, viewSql(view)])), all: views.filter(isLong).map(viewSql) }
}

/** The statements that change the views that are known into those that are wanted. */
export function viewChanges(known: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const dropped = [...known.keys()].filter((name) => !wanted.has(name))
  const made = [...wanted].filter(([name, sql]) => known.get(name) !== sql)
  return [...dropped.map((name) => `DROP VIEW temp.main.${quoteIdentifier(name)}`), ...made.map(([, sql]) => sql)]
}

function viewSql({ name, table, files }: TableView): string {
  return `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(name)} AS ${scanSql(table, table.snapshot.schema, files)}`
}
