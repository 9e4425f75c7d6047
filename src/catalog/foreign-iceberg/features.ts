/** Features of the format that are not read, as far as the schema and the snapshot show them. Source: Iceberg specification, "Version 3". */
import { SkepError } from '../../errors.ts'
import { fromIceberg, type IcebergField, type IcebergType } from '../iceberg/types.ts'
import { unsupportedFeature } from './errors.ts'
import type { ForeignSnapshot } from './metadata.ts'
import { partsOf } from './specs.ts'

/** Passes when all columns can be read. @throws TABLE_FEATURE_UNSUPPORTED, SCHEMA_MISMATCH */
export function checkFields(file: string, table: string, fields: readonly IcebergField[]): void {
  for (const field of fields) {
    if ((field as { 'initial-default'?: unknown })['initial-default'] !== undefined) {
      throw unsupportedFeature(file, `a default value (column ${field.name})`)
    }
    checkType(file, field.type)
  }
  const seen = new Set<string>()
  for (const { name } of fields) {
    if (seen.has(name.toLowerCase())) {
      const message = `the table "${table}" has two columns "${name}" whose names differ in case only, which SQL cannot tell apart`
      throw new SkepError('SCHEMA_MISMATCH', message, { table, column: name })
    }
    seen.add(name.toLowerCase())
  }
}

function checkType(file: string, type: IcebergType): void {
  if (typeof type === 'string') {
    const known = fromIceberg(type)
    if (known.kind === 'other') throw unsupportedFeature(file, `the type ${known.text}`)
    return
  }
  if (type.type === 'struct') {
    const withDefault = type.fields.find((field) => 'initial-default' in field)
    if (withDefault) throw unsupportedFeature(file, `a default value (field ${withDefault.name})`)
  }
  for (const part of partsOf(type)) checkType(file, part.type)
}

/** Passes when the manifests of a snapshot can be read. @throws TABLE_FEATURE_UNSUPPORTED */
export function checkSnapshot(file: string, snapshot: ForeignSnapshot): void {
  if (snapshot.encrypted) throw unsupportedFeature(file, 'encryption')
}
