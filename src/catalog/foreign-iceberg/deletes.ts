/** Which files of deletes concern which data files. Source: Iceberg specification, "Scan Planning". */
import { compareUtf8 } from '../../common/text.ts'
import { unsupportedFeature } from './errors.ts'
import type { ForeignEntry } from './manifest.ts'

/**
 * For each data file the position deletes that may name rows of it; files without any are left out.
 *
 * @throws TABLE_FEATURE_UNSUPPORTED for equality deletes that concern a data file, deletion vectors, and position deletes that are not Parquet
 */
export function deletesOf(
  data: readonly ForeignEntry[],
  deletes: readonly ForeignEntry[],
): Map<ForeignEntry, ForeignEntry[]> {
  const positions = deletes.filter(({ content }) => content === 'position deletes')
  for (const { path, format } of positions) {
    if (format === 'PUFFIN') throw unsupportedFeature(path, 'deletion vectors')
    if (format !== 'PARQUET') throw unsupportedFeature(path, `position deletes in ${format} files`)
  }
  refuseEqualityDeletes(
    data,
    deletes.filter(({ content }) => content === 'equality deletes'),
  )
  const byPath = Map.groupBy(positions, onlyPath)
  const byPartition = Map.groupBy(byPath.get(undefined) ?? [], ({ partitionKey }) => partitionKey)
  const found = data.map((file) => {
    const named = byPath.get(file.path) ?? []
    const maybe = (byPartition.get(file.partitionKey) ?? []).filter((entry) => mayName(entry, file.path))
    return [file, [...named, ...maybe].filter(({ sequence }) => sequence >= file.sequence)] as const
  })
  return new Map(found.filter(([, own]) => own.length > 0))
}

/** The one data file that deletes are for, where they say so. */
function onlyPath({ referenced, paths }: ForeignEntry): string | undefined {
  if (referenced !== undefined) return referenced
  // Bounds that were cut differ: the upper one is rounded up.
  return paths?.lower !== undefined && paths.lower === paths.upper ? String(paths.lower) : undefined
}

function mayName({ paths }: ForeignEntry, path: string): boolean {
  const { lower, upper } = paths ?? {}
  if (typeof lower === 'string' && compareUtf8(path, lower) < 0) return false
  return typeof upper !== 'string' || compareUtf8(path, upper) <= 0
}

/** Deletes by value concern the files of their partition, or of the whole table, that are older. */
function refuseEqualityDeletes(data: readonly ForeignEntry[], deletes: readonly ForeignEntry[]): void {
  const newest = new Map<string, ForeignEntry>()
  for (const entry of deletes) {
    const known = newest.get(entry.partitionKey)
    if (known === undefined || entry.sequence > known.sequence) newest.set(entry.partitionKey, entry)
  }
  for (const { partitionKey, sequence } of data) {
    for (const key of new Set(['', partitionKey])) {
      const found = newest.get(key)
      if (found && found.sequence > sequence) throw unsupportedFeature(found.path, 'equality deletes')
    }
  }
}
