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

/** The statements that make views: `first` from one file of each, with the same columns; `all`, where that are not all */
export function viewsSql(views: readonly TableView[]): { first: string[]; all: string[] } {
  const isLong = ({ files }: TableView) => files.length > SETTINGS.plannedFiles.default
  return {
    first: views.map((view) => viewSql(isLong(view) ? { ...view, files: view.files.slice(0, 1) } : view)),
    all: views.filter(isLong).map(viewSql),
  }
}

function viewSql({ name, table, files }: TableView): string {
  return `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(name)} AS ${scanSql(table, table.snapshot.schema, files)}`
}
