/** Lists of manifests that others wrote. Source: Iceberg specification, "Manifest Lists". */
import { readAvro } from '../iceberg/avro.ts'
import { countOf, fieldGetter, fieldsById } from './avro-fields.ts'
import { guardForeign, unsupportedFeature } from './errors.ts'

/** One manifest of a snapshot. */
export interface ListedManifest {
  /** As its writer spells it. */
  path: string
  /** At least so many bytes; absent where the snapshot names its manifests itself. */
  sizeBytes?: number
  /** Absent where only the manifest tells. */
  specId?: number
  deletes: boolean
  sequence: number
}

/** The manifests in a list, in its order. @throws TABLE_INVALID naming the file, TABLE_FEATURE_UNSUPPORTED */
export function readForeignList(bytes: Uint8Array, file: string): ListedManifest[] {
  return guardForeign(file, () => {
    const { metadata, records } = readAvro(bytes)
    const get = fieldGetter(fieldsById(JSON.parse(metadata['avro.schema']!)))
    return records.map((record): ListedManifest => {
      const path = get(record, 500, 'manifest_path')
      if (typeof path !== 'string' || path === '') throw new Error('a manifest without a path')
      const content = get(record, 517, 'content') ?? 0
      if (content !== 0 && content !== 1) throw new Error(`a manifest with content ${String(content)}`)
      if (get(record, 519, 'key_metadata') !== undefined) throw unsupportedFeature(file, 'encryption')
      return {
        path,
        sizeBytes: countOf(get(record, 501, 'manifest_length')),
        specId: countOf(get(record, 502, 'partition_spec_id') ?? 0),
        deletes: content === 1,
        sequence: countOf(get(record, 515, 'sequence_number') ?? 0),
      }
    })
  })
}
