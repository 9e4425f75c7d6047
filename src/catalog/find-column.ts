/** Columns by the names that people write. */
import { didYouMean, nearest } from '../common/text.ts'
import { SkepError } from '../errors.ts'

interface Named {
  name: string
}

/** The column of that name, else one that differs in case only. */
export function findColumn<T extends Named>(columns: readonly T[], name: string): T | undefined {
  return (
    columns.find((column) => column.name === name) ??
    columns.find((column) => column.name.toLowerCase() === name.toLowerCase())
  )
}

/** The error for a name that none of the columns has; `lacking` begins its sentence: `the files have`. */
export function columnNotFound(
  table: string,
  name: string,
  columns: readonly Named[],
  lacking: string,
): SkepError<'COLUMN_NOT_FOUND'> {
  const near = nearest(
    name,
    columns.map((column) => column.name),
  )
  return new SkepError('COLUMN_NOT_FOUND', `${lacking} no column "${name}"${didYouMean(near)}`, {
    table,
    column: name,
    ...(near === undefined ? {} : { nearest: near }),
  })
}
