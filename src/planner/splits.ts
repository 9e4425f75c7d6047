/** Files cut into splits: small ones together, large ones by ranges of their rows. */
import type { DataFile } from '../catalog/types.ts'

/** How files are cut. */
export interface SplitOptions {
  /** Rows of a split: several files together have at most so many, a large one is cut near them. */
  rows: number
  /** Ranges begin at multiples of this, which is the length of a row group where that is known. */
  groupRows: number
  /** False for tables whose files cannot be read by ranges. */
  ranges: boolean
}

/** The files or ranges of each split, in the order of the files. All rows are in one split, and no split is empty. */
export function splitFiles(files: readonly DataFile[], options: SplitOptions): DataFile[][] {
  return packBySize(
    files.flatMap((file) => cutFile(file, options)),
    ({ rows }) => rows,
    options.rows,
  )
}

/** Items that follow each other, put together while their sizes add up to `most` at most. */
export function packBySize<T>(items: readonly T[], sizeOf: (item: T) => number, most: number): T[][] {
  const packs: T[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const item of items) {
    if (size + sizeOf(item) > most) {
      packs.push([])
      size = 0
    }
    packs.at(-1)!.push(item)
    size += sizeOf(item)
  }
  return packs
}

function cutFile(file: DataFile, { rows, groupRows, ranges }: SplitOptions): DataFile[] {
  const groups = Math.ceil(file.rows / groupRows)
  const count = Math.min(groups, Math.ceil(file.rows / rows))
  if (!ranges || file.range || count <= 1) return [file]
  const bounds = Array.from({ length: count + 1 }, (_, k) =>
    k === count ? file.rows : Math.round((k * groups) / count) * groupRows,
  )
  return bounds.slice(1).map((to, k) => rangeOf(file, bounds[k]!, to))
}

function rangeOf(file: DataFile, from: number, to: number): DataFile {
  const rows = to - from
  return { ...file, range: [from, to], rows, sizeBytes: Math.ceil((file.sizeBytes * rows) / file.rows) }
}
