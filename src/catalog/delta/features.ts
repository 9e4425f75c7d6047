/** Which features of a Delta table keep it from being read. */
import type { AddFile } from './actions.ts'
import { unsupported } from './errors.ts'
import type { DeltaState } from './state.ts'

/** The last reader version whose meaning is fixed: its features are listed by name. */
const NEWEST_READER = 3

/** Features that ask nothing of readers, or nothing that is not done here. Those below are looked for where they are used. */
const READ: ReadonlySet<string> = new Set([
  'timestampNtz',
  'v2Checkpoint',
  'vacuumProtocolCheck',
  'columnMapping',
  'deletionVectors',
  'typeWidening',
  'typeWidening-preview',
])

/** Passes for a table all of whose rows can be read. @throws TABLE_FEATURE_UNSUPPORTED naming the first feature that stands against it */
export function requireReadable({ protocol, metaData, files }: DeltaState, source: string): void {
  const { minReaderVersion, readerFeatures } = protocol
  if (minReaderVersion > NEWEST_READER) throw unsupported(source, `reader version ${minReaderVersion} of the format`)
  const unknown = readerFeatures.find((feature) => !READ.has(feature))
  if (unknown !== undefined) throw unsupported(source, unknown)
  const mode = metaData.configuration['delta.columnMapping.mode'] ?? 'none'
  if (mode !== 'none') throw unsupported(source, 'columnMapping', ` by ${mode}`)
  for (const file of files.values()) requirePlain(file)
}

function requirePlain({ hasVector, path, source }: AddFile): void {
  if (hasVector) throw unsupported(source, 'deletionVectors', ` (for ${path})`)
}
