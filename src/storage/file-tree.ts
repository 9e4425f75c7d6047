/** Folders of a disk that others write to: which files are in them, and by stamps whether that is still so. */
import { type BigIntStats, lstatSync, statSync } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { compareUtf8 } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from './concurrent.ts'
import { isMissing, readError } from './disk-store.ts'
import type { CallOptions, StampedFile } from './object-store.ts'

/**
 * A folder below the root: `''` is the root itself, others end in `/`. The version changes whenever names in it come or go.
 * `parquet`: how many names in it end in `.parquet`, whatever they stand for; absent where that is not known.
 */
export interface FolderStamp {
  path: string
  version: string
  parquet?: number
}

/** Files with their versions, in the order of their paths' bytes, and all folders that were looked into for them. */
export interface FileTree {
  files: readonly StampedFile[]
  folders: readonly FolderStamp[]
}

/** Which part of a tree is wanted. */
export interface TreeFilter {
  matches(path: string): boolean
  /** False for a folder (ending in `/`) that cannot hold a wanted file. */
  mayHold(folder: string): boolean
}

/** A tree as it was found. */
export interface Survey {
  tree: FileTree
  /** True when everything is as it was known; `tree` is then the known one. */
  same: boolean
  /** Milliseconds until all stamps are old enough to be trusted; 0 when they are. */
  waitMs: number
}

/** Marks the version of something that changed so recently that a further change might leave the same stamp. */
const YOUNG = '?'
/** File systems stamp with the clock's last tick; those with coarser clocks show it in the digits. */
const TICK_MS = 20
const COARSE_TICK_MS = 2000

/** True when both versions are the same, whether or not they were young. */
export function sameVersion(a: string, b: string): boolean {
  return bare(a) === bare(b)
}

function bare(version: string): string {
  return isYoung(version) ? version.slice(1) : version
}

/** True for a version that a further change may have left as it is: what has it must be looked at anew. */
export function isYoung(version: string): boolean {
  return version.startsWith(YOUNG)
}

/**
 * What is below a folder of the disk. Folders whose stamps are those of the known tree are not listed again; every file is
 * looked at, since one that is written in place leaves its folder as it was. Symbolic links and a missing root are no files.
 *
 * @throws FILE_LIMIT when more than `maxFiles` match
 * @throws FILE_UNREADABLE for a folder that may not be read
 */
export async function surveyTree(
  root: string,
  filter: TreeFilter,
  known: FileTree | undefined,
  options: CallOptions & { maxFiles: number },
): Promise<Survey> {
  const index = known && indexOf(known)
  const walk: Walk = { root, filter, index, folders: [], paths: [], waitMs: 0, ...options }
  for (let level = ['']; level.length > 0; ) level = await walkLevel(walk, level)
  const stamps = await stampAll(root, walk.paths, options)
  const files: StampedFile[] = []
  for (const [k, stamp] of stamps.entries()) {
    if (!stamp?.isFile) continue
    files.push({ path: walk.paths[k]!, sizeBytes: stamp.sizeBytes, version: stamp.version })
    walk.waitMs = Math.max(walk.waitMs, stamp.waitMs)
  }
  const { folders, waitMs } = walk
  const same = index !== undefined && isSame(index, files, folders)
  if (same) return { tree: known!, same, waitMs }
  return { tree: { files: files.sort((a, b) => compareUtf8(a.path, b.path)), folders }, same, waitMs }
}

/** A file that is to be what it was; without a size where only a part of the file is meant. */
export type KnownFile = Pick<StampedFile, 'path' | 'version'> & { sizeBytes?: number }

/** The first of these files, below the root, that is not any more as it was; undefined when all are. */
export async function firstChanged(
  root: string,
  files: readonly KnownFile[],
  options: CallOptions = {},
): Promise<string | undefined> {
  const paths = files.map(({ path }) => path)
  const stamps = await stampAll(root, paths, options)
  const at = files.findIndex(({ sizeBytes, version }, k) => {
    const stamp = stamps[k]
    if (!stamp?.isFile || !sameVersion(stamp.version, version)) return true
    return sizeBytes !== undefined && stamp.sizeBytes !== sizeBytes
  })
  return at < 0 ? undefined : paths[at]
}

/** True when no name has come or gone in a folder, an absolute path, since it had this version. */
export function isSameFolder(path: string, version: string): boolean {
  return !isYoung(version) && stampNow(path, '')?.version === version
}

/** The stamps of files below the root that others will not write to again, whatever their age; undefined for what is no file. */
export async function stampFiles(
  root: string,
  paths: readonly string[],
  options: CallOptions = {},
): Promise<(StampedFile | undefined)[]> {
  const stamps = await stampAll(root, paths, options)
  return stamps.map((stamp, k) =>
    stamp?.isFile ? { path: paths[k]!, sizeBytes: stamp.sizeBytes, version: bare(stamp.version) } : undefined,
  )
}

interface Children {
  version: string
  parquet?: number
  /** Paths below the root. */
  files: string[]
  folders: string[]
}

interface TreeIndex {
  files: Map<string, StampedFile>
  folders: Map<string, Children>
}

const indexes = new WeakMap<FileTree, TreeIndex>()

function indexOf(tree: FileTree): TreeIndex {
  const found = indexes.get(tree)
  if (found) return found
  const folders = new Map<string, Children>(
    tree.folders.map(({ path, ...stamp }) => [path, { ...stamp, files: [], folders: [] }]),
  )
  for (const { path } of tree.folders) if (path !== '') folders.get(parentOf(path))?.folders.push(path)
  for (const { path } of tree.files) folders.get(parentOf(path))?.files.push(path)
  const index = { files: new Map(tree.files.map((file) => [file.path, file])), folders }
  indexes.set(tree, index)
  return index
}

/** The folder that a path is in: `''` or ending in `/`. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/', path.length - 2) + 1)
}

/** A young version is like no other: what it stands for has to be looked at again. */
function isSame(index: TreeIndex, files: readonly StampedFile[], folders: readonly FolderStamp[]): boolean {
  const isKnown = ({ path, sizeBytes, version }: StampedFile) => {
    const known = index.files.get(path)
    return known?.version === version && known.sizeBytes === sizeBytes && !isYoung(version)
  }
  return (
    files.length === index.files.size &&
    folders.length === index.folders.size &&
    folders.every(({ path, version }) => index.folders.get(path)?.version === version && !isYoung(version)) &&
    files.every(isKnown)
  )
}

interface Walk extends CallOptions {
  root: string
  filter: TreeFilter
  index: TreeIndex | undefined
  maxFiles: number
  folders: FolderStamp[]
  paths: string[]
  waitMs: number
}

/** Looks into these folders; gives the folders in them. */
async function walkLevel(walk: Walk, level: readonly string[]): Promise<string[]> {
  const stamps = await stampAll(walk.root, level, walk)
  const found = await mapConcurrent(level, SETTINGS.folderReads.default, async (folder, k) => {
    const stamp = stamps[k]
    if (!stamp?.isFolder) return undefined
    const known = walk.index?.folders.get(folder)
    const isKnown = known?.version === stamp.version && !isYoung(stamp.version)
    return isKnown ? known : await readFolder(walk, folder)
  })
  const next: string[] = []
  for (const [k, children] of found.entries()) {
    if (!children) continue
    const { version, parquet } = children
    walk.folders.push({ path: level[k]!, version, ...(parquet !== undefined && { parquet }) })
    walk.waitMs = Math.max(walk.waitMs, stamps[k]!.waitMs)
    for (const path of children.files) walk.paths.push(path)
    for (const path of children.folders) next.push(path)
    if (walk.paths.length > walk.maxFiles) throw tooManyFiles(walk.root, walk.maxFiles)
  }
  return next
}

/** What is in a folder, with the stamp that it had before and after it was read; undefined when it is gone. */
async function readFolder(walk: Walk, folder: string): Promise<Children | undefined> {
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(walk.signal)
    const [before] = await stampAll(walk.root, [folder], walk)
    if (!before?.isFolder) return undefined
    const children = await listFolder(walk, folder)
    const [after] = await stampAll(walk.root, [folder], walk)
    if (!after?.isFolder) return undefined
    if (sameVersion(before.version, after.version)) return { version: before.version, ...children }
    // Names that come faster than a folder can be listed: its stamp is worth nothing.
    if (attempt === SETTINGS.folderAttempts.default) return { version: YOUNG, ...children }
  }
}

async function listFolder({ root, filter }: Walk, folder: string): Promise<Omit<Children, 'version'>> {
  const files: string[] = []
  const folders: string[] = []
  let parquet = 0
  try {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (entry.name.endsWith('.parquet')) parquet++
      if (entry.name.includes('\\')) continue
      const path = `${folder}${entry.name}`
      if (entry.isDirectory() && filter.mayHold(`${path}/`)) folders.push(`${path}/`)
      else if (entry.isFile() && filter.matches(path)) files.push(path)
    }
  } catch (error) {
    if (!isMissing(error)) throw readError(error, folder || root)
  }
  return { files, folders, parquet }
}

interface Stamp {
  isFile: boolean
  isFolder: boolean
  sizeBytes: number
  version: string
  waitMs: number
}

/** The stamps of files and folders, undefined for what does not exist. Without a thread's detour while the disk is fast. */
async function stampAll(
  root: string,
  paths: readonly string[],
  { signal }: CallOptions,
): Promise<(Stamp | undefined)[]> {
  const stamps: (Stamp | undefined)[] = []
  while (stamps.length < paths.length) {
    throwIfAborted(signal)
    const slice = paths.slice(stamps.length, stamps.length + SETTINGS.stampedFiles.default)
    const started = performance.now()
    for (const path of slice) stamps.push(stampNow(root, path))
    if (performance.now() - started > SETTINGS.fastStampMs.default * slice.length) break
    if (stamps.length < paths.length) await setImmediate()
  }
  const rest = paths.slice(stamps.length)
  return [
    ...stamps,
    ...(await mapConcurrent(rest, SETTINGS.slowStamps.default, (path) => stampSoon(root, path, signal))),
  ]
}

/** The root may be a link; what is below it may not. */
function stampNow(root: string, path: string): Stamp | undefined {
  const read = path === '' ? statSync : lstatSync
  const nowMs = Date.now()
  try {
    const found = read(placeOf(root, path), { bigint: true, throwIfNoEntry: false })
    return found && toStamp(found, nowMs)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw readError(error, path || root)
  }
}

async function stampSoon(root: string, path: string, signal: AbortSignal | undefined): Promise<Stamp | undefined> {
  throwIfAborted(signal)
  const read = path === '' ? stat : lstat
  const nowMs = Date.now()
  try {
    return toStamp(await read(placeOf(root, path), { bigint: true }), nowMs)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw readError(error, path || root)
  }
}

/** The place of a path below a root: there is nothing in either that would have to be resolved. */
function placeOf(root: string, path: string): string {
  return root === '' || path === '' ? root || path : `${root}/${path}`
}

const NS_PER_MS = 1_000_000n

/** The time of the last change to the inode cannot be set by programs, and so tells also of writes that put their time back. */
function toStamp(found: BigIntStats, nowMs: number): Stamp {
  const { mtimeNs, ctimeNs, ino, size } = found
  const tickMs = ctimeNs % NS_PER_MS === 0n ? COARSE_TICK_MS : TICK_MS
  const ageMs = nowMs - Number(ctimeNs / NS_PER_MS)
  const waitMs = Math.max(0, Math.min(tickMs, tickMs - ageMs))
  return {
    isFile: found.isFile(),
    isFolder: found.isDirectory(),
    sizeBytes: Number(size),
    version: `${waitMs > 0 ? YOUNG : ''}${mtimeNs.toString(36)}-${ctimeNs.toString(36)}-${ino.toString(36)}`,
    waitMs,
  }
}

function tooManyFiles(root: string, limit: number): SkepError<'FILE_LIMIT'> {
  const message = `${root} has more than ${limit} files; raise SKEP_IMPORT_FILES or narrow the pattern`
  return new SkepError('FILE_LIMIT', message, { setting: 'importFiles', limit })
}
