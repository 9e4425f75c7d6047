/** Parquet files page by page: what other writers may do, and what none should. */
import type { Encoding, PageHeader, RowGroup, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writePageHeader } from 'hyparquet-writer/src/datapage.js'
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { writePlain } from 'hyparquet-writer/src/plain.js'

/** A page: its header, whose sizes are those of its bytes unless it says others, and its bytes. */
export interface Page {
  header: Partial<PageHeader> & Pick<PageHeader, 'type'>
  bytes: Uint8Array
}

/** A column of a file with its pages for each row group. */
export interface PagedColumn {
  element: SchemaElement
  groups: Page[][]
  /** Values of a row group where they are not its rows. */
  values?: bigint
}

/** The bytes of a file. */
export function pageFile(columns: PagedColumn[], rows: bigint[]): Uint8Array {
  const writer = new ByteWriter()
  writer.appendUint32(0x31524150)
  const groups = rows.map((count, group): RowGroup => {
    const chunks = columns.map(({ element, groups: pages, values = count }) => {
      const start = BigInt(writer.offset)
      for (const page of pages[group]!) writePage(writer, page)
      const size = BigInt(writer.offset) - start
      return {
        file_offset: start,
        meta_data: {
          type: element.type!,
          encodings: ['PLAIN', 'RLE_DICTIONARY', 'RLE'] as Encoding[],
          path_in_schema: [element.name],
          codec: 'UNCOMPRESSED' as const,
          num_values: values,
          total_uncompressed_size: size,
          total_compressed_size: size,
          data_page_offset: start,
        },
      }
    })
    return { columns: chunks, total_byte_size: 1n, num_rows: count }
  })
  const root: SchemaElement = { name: 'root', num_children: columns.length }
  writeMetadata(writer, {
    version: 2,
    created_by: 'pages',
    schema: [root, ...columns.map(({ element }) => element)],
    num_rows: rows.reduce((sum, count) => sum + count, 0n),
    row_groups: groups,
  } as unknown as Parameters<typeof writeMetadata>[1])
  writer.appendUint32(0x31524150)
  return new Uint8Array(writer.getBuffer())
}

function writePage(writer: ByteWriter, { header, bytes }: Page): void {
  const { length } = bytes
  writePageHeader(writer, { uncompressed_page_size: length, compressed_page_size: length, ...header } as PageHeader)
  writer.appendBytes(bytes)
}

type Value = string | bigint | number | Uint8Array

function plainBytes(values: readonly Value[], { type, type_length }: SchemaElement): Uint8Array {
  const writer = new ByteWriter()
  const stored = values.map((value) => (typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value))
  writePlain(writer, stored, type!, type_length)
  return new Uint8Array(writer.getBytes())
}

/** A page with the values of a dictionary. */
export function dictionaryPage(values: readonly Value[], element: SchemaElement): Page {
  const header = { num_values: values.length, encoding: 'PLAIN' as const }
  return { header: { type: 'DICTIONARY_PAGE', dictionary_page_header: header }, bytes: plainBytes(values, element) }
}

/** A page of values, in the first layout or the second; null is for no value. */
export function dataPage(
  values: readonly (Value | null)[],
  element: SchemaElement,
  { dictionary, version = 1 }: { dictionary?: readonly Value[]; version?: 1 | 2 } = {},
): Page {
  const present = values.filter((value) => value !== null)
  const body = dictionary ? codes(present.map((value) => dictionary.indexOf(value))) : plainBytes(present, element)
  const levels =
    element.repetition_type === 'OPTIONAL'
      ? hybrid(
          values.map((value) => Number(value !== null)),
          1,
        )
      : undefined
  const encoding: Encoding = dictionary ? 'RLE_DICTIONARY' : 'PLAIN'
  const common = { num_values: values.length, encoding }
  if (version === 1) {
    const length = new Uint8Array(new Uint32Array(levels ? [levels.length] : []).buffer)
    const header = { ...common, definition_level_encoding: 'RLE' as const, repetition_level_encoding: 'RLE' as const }
    return {
      header: { type: 'DATA_PAGE', data_page_header: header },
      bytes: Uint8Array.of(...length, ...(levels ?? []), ...body),
    }
  }
  const header = {
    ...common,
    num_nulls: values.length - present.length,
    num_rows: values.length,
    definition_levels_byte_length: levels?.length ?? 0,
    repetition_levels_byte_length: 0,
    is_compressed: false,
  }
  return {
    header: { type: 'DATA_PAGE_V2', data_page_header_v2: header },
    bytes: Uint8Array.of(...(levels ?? []), ...body),
  }
}

function codes(places: number[]): Uint8Array {
  const width = Math.ceil(Math.log2(Math.max(0, ...places) + 1))
  return Uint8Array.of(width, ...hybrid(places, width))
}

function hybrid(values: number[], width: number): Uint8Array {
  const writer = new ByteWriter()
  writeRleBitPackedHybrid(writer, values, width)
  return new Uint8Array(writer.getBytes())
}
