/** The state of a Delta table at one version: what the actions up to there come to. */
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { Action, AddFile, MetaData, Protocol } from './actions.ts'

/** A table at a version. Never changed once it is made. */
export interface DeltaState {
  version: number
  protocol: Protocol
  metaData: MetaData
  /** By path and deletion vector. */
  files: ReadonlyMap<string, AddFile>
  /** About how much memory it takes. */
  weight: number
}

/** Gathers actions into a state. */
export class StateBuilder {
  #protocol: Protocol | undefined
  #metaData: MetaData | undefined
  readonly #files: Map<string, AddFile>
  readonly #root: string
  readonly #maxFiles: number

  constructor(root: string, maxFiles: number, base?: DeltaState) {
    this.#root = root
    this.#maxFiles = maxFiles
    this.#protocol = base?.protocol
    this.#metaData = base?.metaData
    this.#files = new Map(base?.files)
  }

  /** Takes the actions of one version, or some of a checkpoint. @throws FILE_LIMIT */
  take(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.kind === 'add') this.#files.set(action.key, action.file)
      else if (action.kind === 'remove') this.#files.delete(action.key)
      else if (action.kind === 'metaData') this.#metaData = action.metaData
      else if (action.kind === 'protocol') this.#protocol = action.protocol
    }
    if (this.#files.size <= this.#maxFiles) return
    const message = `${this.#root} has more than ${this.#maxFiles} files; raise SKEP_IMPORT_FILES`
    throw new SkepError('FILE_LIMIT', message, { setting: 'importFiles', limit: this.#maxFiles })
  }

  /** What all actions come to; undefined when they do not say what the table is. */
  build(version: number): DeltaState | undefined {
    const [protocol, metaData, files] = [this.#protocol, this.#metaData, this.#files]
    if (!protocol || !metaData) return undefined
    let weight = metaData.schemaString.length
    for (const { stats } of files.values()) weight += FILE_WEIGHT + (typeof stats === 'string' ? stats.length : 0)
    return { version, protocol, metaData, files, weight }
  }
}

/** A file with its statistics, without the text of them. */
const FILE_WEIGHT = SETTINGS.attachedEntryBytes.default
