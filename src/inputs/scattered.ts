/** Whether an actor is in several files of a folder: exact, for any number of actors, at bounded memory. */
import type { ScatteredActor } from '../catalog/folder/registration.ts'
import { compareScalars } from '../catalog/scalar.ts'
import type { Column, DataFile, Scalar, Table } from '../catalog/types.ts'
import { SETTINGS } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { layoutScans } from '../engine/scan-folder.ts'
import { isSkepError } from '../errors.ts'

/** What is asked of a folder's files. */
export interface ScatterCheck {
  table: Table
  /** Files that are compared with each other and with `apart`. */
  fresh: readonly DataFile[]
  /** Files that are known to share no actor with each other. */
  apart: readonly DataFile[]
}

const SUSPECTS = SETTINGS.suspectActors.default

/**
 * An actor that is in two of the files, or undefined when there is none. Files whose ranges of actors overlap no other's are
 * not read. The others are compared by a hash of the actor, which is small whatever the actor is and spills to the disk
 * of the warehouse; only actors whose hash is in two files are then compared themselves.
 */
export async function findScattered(
  session: Session,
  { table, fresh, apart }: ScatterCheck,
  options: RunOptions,
): Promise<ScatteredActor | undefined> {
  const actor = table.schema.columns.find(({ name }) => name === table.keys.actor)!
  const position = table.spec.fields.findIndex(({ columnId }) => columnId === actor.id)
  const ranges = [
    ...fresh.map((file) => rangeOf(file, actor, position, true)),
    ...apart.map((file) => rangeOf(file, actor, position, false)),
  ]
  const files = overlapping(ranges.filter(({ file }) => file.rows > 0))
  if (files.length < 2) return undefined
  const pass = { session, table, actor, options }
  const probe = spread(files, SETTINGS.probedFiles.default)
  const found = probe.length < files.length ? await sharedActor(pass, probe) : undefined
  return found ?? (await sharedActor(pass, files))
}

interface ActorRange {
  file: DataFile
  /** Undefined where the footer has no bounds. */
  lower: Scalar | undefined
  upper: Scalar | undefined
  isFresh: boolean
}

/** All actors of a file are inside this range, which may be wider than they are. */
function rangeOf(file: DataFile, actor: Column, position: number, isFresh: boolean): ActorRange {
  const value = position < 0 ? undefined : (file.partition[position] ?? undefined)
  if (value !== undefined) return { file, lower: value, upper: value, isFresh }
  const { lower, upper } = file.columns.get(actor.id) ?? {}
  return { file, lower, upper, isFresh }
}

/** The fresh files whose range meets another's, and the others whose range meets a fresh one's. */
function overlapping(ranges: readonly ActorRange[]): DataFile[] {
  const meetsFresh = meeting(ranges.filter(({ isFresh }) => isFresh))
  const lonely = lonelyRanges(ranges.filter(isBounded))
  const isAnyOpen = ranges.length > 1 && !ranges.every(isBounded)
  return ranges
    .filter((range) => (range.isFresh ? isAnyOpen || !lonely.has(range) : meetsFresh(range)))
    .map(({ file }) => file)
}

type Bounded = ActorRange & { lower: Scalar; upper: Scalar }

function isBounded(range: ActorRange): range is Bounded {
  return range.lower !== undefined && range.upper !== undefined
}

/** True when `a` is not known to be below `b`. */
function reaches(a: Scalar, b: Scalar): boolean {
  return !(compareScalars(a, b) < 0)
}

function byLower(ranges: readonly Bounded[]): Bounded[] {
  return ranges.toSorted((a, b) => compareScalars(a.lower, b.lower))
}

/** The highest upper end of each of these ranges and all before it. */
function highest(sorted: readonly Bounded[]): Scalar[] {
  const ends: Scalar[] = []
  for (const { upper } of sorted) {
    const before = ends.at(-1)
    ends.push(before === undefined || reaches(upper, before) ? upper : before)
  }
  return ends
}

/** The ranges that meet no other one. */
function lonelyRanges(ranges: readonly Bounded[]): Set<ActorRange> {
  const sorted = byLower(ranges)
  const ends = highest(sorted)
  const meets = (range: Bounded, k: number) => {
    const next = sorted[k + 1]
    return (k > 0 && reaches(ends[k - 1]!, range.lower)) || (next !== undefined && reaches(range.upper, next.lower))
  }
  return new Set(sorted.filter((range, k) => !meets(range, k)))
}

/** Tells of a range whether it meets one of these. */
function meeting(ranges: readonly ActorRange[]): (range: ActorRange) => boolean {
  const sorted = byLower(ranges.filter(isBounded))
  const ends = highest(sorted)
  return (range) => {
    if (ranges.length === 0) return false
    if (sorted.length < ranges.length || !isBounded(range)) return true
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (reaches(range.upper, sorted[middle]!.lower)) low = middle + 1
      else high = middle
    }
    return low > 0 && reaches(ends[low - 1]!, range.lower)
  }
}

/** Some of the items, the first and the last among them, evenly spread. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items]
  return Array.from({ length: count }, (_, k) => items[Math.round((k * (items.length - 1)) / (count - 1))]!)
}

interface Pass {
  session: Session
  table: Table
  actor: Column
  options: RunOptions
}

async function sharedActor(pass: Pass, files: readonly DataFile[]): Promise<ScatteredActor | undefined> {
  const { rows, order } = actorRows(pass, files)
  const suspects = await findSuspects(pass, rows)
  if (suspects === 0) return undefined
  const found = await sharedBy(pass, `${rows} AND hash(a) IN (FROM skep_suspects)`, order)
  // Different actors with one hash in each of so many cases do not happen by chance.
  return found ?? (suspects < SUSPECTS ? undefined : await sharedBy(pass, rows, order))
}

/** Fills `skep_suspects` with hashes that are in more than one file; their number. Where even spilling needs too much memory, in more and smaller parts. */
async function findSuspects(pass: Pass, rows: string): Promise<number> {
  for (let parts = 1; ; parts *= 4) {
    try {
      for (let part = 0; part < parts; part++) {
        const suspects = await suspectsOf(pass, parts === 1 ? rows : `${rows} AND hash(a) % ${parts} = ${part}`)
        if (suspects > 0) return suspects
      }
      return 0
    } catch (error) {
      if (parts >= SETTINGS.actorParts.default || !isSkepError(error, 'MEMORY_LIMIT')) throw error
    }
  }
}

async function suspectsOf({ session, options }: Pass, rows: string): Promise<number> {
  await session.run(
    `CREATE OR REPLACE TEMP TABLE skep_suspects AS SELECT h FROM (SELECT hash(a) AS h, f FROM (${rows}))
     GROUP BY h HAVING min(f) <> max(f) LIMIT ${SUSPECTS}`,
    options,
  )
  const [counted] = await session.rows<{ n: bigint }>('SELECT count(*) AS n FROM skep_suspects', options)
  return Number(counted!.n)
}

async function sharedBy(
  { session, options }: Pass,
  rows: string,
  order: readonly DataFile[],
): Promise<ScatteredActor | undefined> {
  const [row] = await session.rows<{ actor: string; one: number; other: number }>(
    `SELECT CAST(a AS VARCHAR) AS actor, min(f) AS one, max(f) AS other FROM (${rows})
     GROUP BY a HAVING min(f) <> max(f) ORDER BY a LIMIT 1`,
    options,
  )
  return row && { actor: row.actor, files: [order[row.one]!.path, order[row.other]!.path] }
}

/** SELECT of `a`, the actor, and `f`, the place of its file in `order`. */
function actorRows({ table, actor }: Pass, files: readonly DataFile[]): { rows: string; order: DataFile[] } {
  const order: DataFile[] = []
  const selects = layoutScans(table, table.schema, files).map(({ files: group, from, value }) => {
    const offset = order.length
    order.push(...group)
    return `SELECT ${value(actor)} AS a, CAST(file_index AS INTEGER) + ${offset} AS f FROM ${from(group)}`
  })
  return { rows: `SELECT a, f FROM (${selects.join(' UNION ALL ')}) WHERE a IS NOT NULL`, order }
}
