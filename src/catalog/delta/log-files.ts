/** Which files of a Delta log make which version. */

/** A checkpoint: one file, or several parts. */
interface CheckpointFiles {
  version: number
  files: string[]
}

/** The names of a log's folder, by what they stand for. */
export interface LogFiles {
  /** Versions that have an entry, ascending. */
  entries: number[]
  /** Whole checkpoints, ascending; of several for one version those with the fewest files. */
  checkpoints: CheckpointFiles[]
}

/** What has to be read for a version: a checkpoint, unless the log goes back to its beginning, and entries after it. */
export interface LogPlan {
  version: number
  checkpoint?: CheckpointFiles
  entries: number[]
}

/** Versions are exact as numbers: nobody has more. */
const ENTRY = /^(0{5}\d{15})\.json$/
const CHECKPOINT = /^(0{5}\d{15})\.checkpoint\.(?:(\d{10})\.(\d{10})\.)?parquet$/
/** Named by a UUID, in either format: of the newer kind of checkpoint. */
const NAMED_CHECKPOINT = /^(0{5}\d{15})\.checkpoint\.[0-9a-f-]{36}\.(?:parquet|json)$/i

/** The name of the entry of a version. */
export function entryName(version: number): string {
  return `${String(version).padStart(20, '0')}.json`
}

/** What is in the folder of a log. What is not part of one is passed over. */
export function logFiles(names: readonly string[]): LogFiles {
  const entries = names.flatMap((name) => ENTRY.exec(name)?.[1] ?? []).map(Number)
  return { entries: entries.sort((a, b) => a - b), checkpoints: wholeCheckpoints(names) }
}

function wholeCheckpoints(names: readonly string[]): CheckpointFiles[] {
  const found = new Map<number, CheckpointFiles>()
  const parts = new Map<string, string[]>()
  const keep = (version: number, files: string[]) => {
    const known = found.get(version)
    if (!known || files.length < known.files.length) found.set(version, { version, files })
  }
  for (const name of [...names].sort()) {
    const named = NAMED_CHECKPOINT.exec(name)
    if (named) keep(Number(named[1]), [name])
    const [, version = '', part, count] = CHECKPOINT.exec(name) ?? []
    if (version !== '' && part === undefined) keep(Number(version), [name])
    if (part === undefined) continue
    const all = [...(parts.get(`${version}/${count}`) ?? []), name]
    parts.set(`${version}/${count}`, all)
    // Names are sorted: the last part comes last.
    if (all.length === Number(count) && Number(part) === all.length) keep(Number(version), all)
  }
  return [...found.values()].sort((a, b) => a.version - b.version)
}

/** The newest version; undefined for a folder that has none. */
export function newestVersion({ entries, checkpoints }: LogFiles): number | undefined {
  const newest = Math.max(entries.at(-1) ?? -1, checkpoints.at(-1)?.version ?? -1)
  return newest < 0 ? undefined : newest
}

/** How a version is read, from its own files; the first that is missing where it cannot be. */
export function planVersion({ entries, checkpoints }: LogFiles, version: number): LogPlan | { missing: number } {
  const checkpoint = checkpoints.findLast((candidate) => candidate.version <= version)
  const first = checkpoint ? checkpoint.version + 1 : 0
  const needed = entries.filter((entry) => entry >= first && entry <= version)
  const gap = needed.findIndex((entry, k) => entry !== first + k)
  const missing = first + (gap < 0 ? needed.length : gap)
  if (missing <= version) return { missing }
  return { version, ...(checkpoint && { checkpoint }), entries: needed }
}
