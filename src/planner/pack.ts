/** Files of a table divided among tasks: small ones together, large ones by ranges of rows. */
import type { DataFile } from '../catalog/types.ts'

/** How files are divided. */
export interface Packing {
  /** Rows near which a task has enough. */
  taskRows: number
  /** Greatest number of tasks. */
  tasksMax: number
  /** Ranges of a file begin at multiples of so many rows: those of its row groups, where it is ours. */
  groupRows: number
  /** False where files are only read whole. */
  ranges: boolean
}

/** The files of each task, in order; at least one task when there is a file. All tasks have about the same number of rows. */
export function packFiles(files: readonly DataFile[], packing: Packing): DataFile[][] {
  const total = files.reduce((sum, { rows }) => sum + rows, 0)
  const count = Math.max(1, Math.min(packing.tasksMax, Math.floor(total / packing.taskRows)))
  const share = total / count
  const pieces = packing.ranges ? files.flatMap((file) => rangesOf(file, share, packing)) : files
  const tasks: DataFile[][] = []
  let end = 0
  let before = 0
  for (const piece of pieces) {
    // A piece goes where its middle lies.
    if (tasks.length === 0 || (before + piece.rows / 2 >= end && tasks.length < count)) {
      tasks.push([])
      end = share * tasks.length
    }
    tasks.at(-1)!.push(piece)
    before += piece.rows
  }
  return tasks
}

/** The file, or parts of it of about so many rows each. */
function rangesOf(file: DataFile, share: number, { groupRows }: Packing): DataFile[] {
  const parts = Math.round(file.rows / share)
  if (parts < 2) return [file]
  const exact = file.rows / parts
  const step = exact > groupRows ? Math.round(exact / groupRows) * groupRows : Math.ceil(exact)
  const ranges: DataFile[] = []
  for (let from = 0; from < file.rows; from += step) {
    const to = Math.min(from + step, file.rows)
    const rows = to - from
    ranges.push({ ...file, rows, sizeBytes: Math.round((file.sizeBytes * rows) / file.rows), range: [from, to] })
  }
  return ranges
}
