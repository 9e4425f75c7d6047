/** Files summed by their partitions: plain functions. */
import type { ResponseOf } from '../../../../src/api/contract.ts'

/** A data file. */
export type DataFile = ResponseOf<'files'>[number]

/** The files of one partition together. */
export interface Partition {
  /** `day=2026-11-20, bucket=3` */
  key: string
  files: number
  rows: number
  bytes: number
}

/** The partitions of files, that with the most rows first. */
export function partitionsOf(files: readonly DataFile[]): Partition[] {
  const found = new Map<string, Partition>()
  for (const { partition, rows, bytes } of files) {
    const key = Object.entries(partition)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ')
    const sums = found.get(key) ?? { key, files: 0, rows: 0, bytes: 0 }
    found.set(key, { key, files: sums.files + 1, rows: sums.rows + rows, bytes: sums.bytes + bytes })
  }
  return [...found.values()].sort((a, b) => b.rows - a.rows || (a.key < b.key ? -1 : 1))
}

/** The last part of a path. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
