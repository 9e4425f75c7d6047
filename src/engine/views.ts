/**
 * Views of files. The engine plans a statement over files twice, and looks at every file each time: so the lists of a view's files stand in
 * variables of the session, which have few of them while a statement is planned, and all of them when it runs.
 */
import type { DataFile, Table, WholeFolder } from '../catalog/types.ts'
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import { scanSql } from './scan.ts'
import { type FileSource, namedFiles } from './scan-folder.ts'

/** Files of a table under a name that statements have for them. */
export interface TableView {
  name: string
  table: Table
  files: readonly DataFile[]
}

/** A variable with files that a view reads, and expressions for what it may have. */
export interface FileList {
  variable: string
  /** One file of each layout: the reader finds the same columns. */
  first: string
  all(): string
  /** All of them, as the engine lists their folder: right while that stays as it is. */
  listed?: { sql: string; folder: WholeFolder }
}

/** What makes views: statements by the names of the views, and the lists that these read. */
export interface ViewsSql {
  views: Map<string, string>
  lists: FileList[]
}

/** What makes these views. */
export function viewsSql(views: readonly TableView[]): ViewsSql {
  const lists: FileList[] = []
  const made = views.map(({ name, table, files }) => {
    const before = lists.length
    const source: FileSource = (some) => {
      if (some.length <= SETTINGS.plannedFiles.default) return namedFiles(some)
      const variable = `files ${lists.length - before + 1} of ${name}`
      lists.push(fileList(variable, some))
      return `getvariable(${quoteString(variable)})`
    }
    const scan = scanSql(table, table.snapshot.schema, files, source)
    return [name, `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(name)} AS ${scan}`] as const
  })
  return { views: new Map(made), lists }
}

function fileList(variable: string, files: readonly DataFile[]): FileList {
  const folder = wholeFolder(files)
  const listed = folder && { sql: `[${quoteString(`${folder.path}*.parquet`)}]`, folder }
  const first = [...new Map(files.toReversed().map((file) => [file.foreign?.layout, file])).values()]
  return { variable, first: namedFiles(first), all: () => namedFiles(files), ...(listed && { listed }) }
}

/** The folder whose files these are, all of them. A path that reads as a pattern itself has none. */
function wholeFolder(files: readonly DataFile[]): WholeFolder | undefined {
  const folder = files[0]?.foreign?.folder
  if (folder?.files !== files.length || /[*?[\]{}\\]/.test(folder.path)) return undefined
  return files.every(({ foreign, range }) => foreign?.folder === folder && !range) ? folder : undefined
}

/** What the variables of lists have while statements are planned. */
export function firstValues(lists: readonly FileList[]): Map<string, string> {
  return new Map(lists.map(({ variable, first }) => [variable, first]))
}

/** The statement that gives a variable a value. */
export function setSql(variable: string, value: string): string {
  return `SET VARIABLE ${quoteIdentifier(variable)} = ${value}`
}

/** The statements that change the views that are known into those that are wanted. */
export function viewChanges(known: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const dropped = [...known.keys()].filter((name) => !wanted.has(name))
  const made = [...wanted].filter(([name, sql]) => known.get(name) !== sql)
  return [...dropped.map((name) => `DROP VIEW temp.main.${quoteIdentifier(name)}`), ...made.map(([, sql]) => sql)]
}

/** The statements that change the variables that are set into those that are wanted, each with its first file. */
export function listChanges(known: ReadonlyMap<string, string>, wanted: readonly FileList[]): string[] {
  const names = new Set(wanted.map(({ variable }) => variable))
  const dropped = [...known.keys()].filter((variable) => !names.has(variable))
  const set = wanted.filter(({ variable, first }) => known.get(variable) !== first)
  return [
    ...dropped.map((variable) => `RESET VARIABLE ${quoteIdentifier(variable)}`),
    ...set.map(({ variable, first }) => setSql(variable, first)),
  ]
}
