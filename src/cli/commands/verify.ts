/** `skep verify`. */
import type { Verification } from '../../coordinator/verify.ts'
import { SkepError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { counted, sizeText } from '../output/numbers.ts'

/** Reads everything that a table consists of against its checksums. */
export const verifyCommand = defineCommand({
  summary: 'Reads all files of a managed table against their checksums',
  usage: 'skep verify T',
  description:
    'Metadata and data files of all snapshots are read. Ends with `FILE_INVALID` when any is damaged or missing, and names each.',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {},
  examples: [{ line: 'skep verify events', does: 'is every file as it was written?' }],
  run: async ({ arguments: [table], open, json, document, confirm, warn, progress, signal }) => {
    const warehouse = await open()
    const found = await verifyWithProgress()
    if (found.damaged.length > 0) throw damageError(found, json ? undefined : warn)
    if (json) return await document(found)
    if (found.withoutChecksum > 0) {
      warn(
        `${counted(found.withoutChecksum, 'data file')} of other writers without a checksum: only the size was looked at`,
      )
    }
    const parts = [counted(found.snapshots, 'snapshot'), counted(found.manifests, 'manifest')]
    await confirm(
      `${table} is whole: ${parts.join(', ')}, ${counted(found.files, 'data file')} (${sizeText(found.bytes)})`,
    )

    async function verifyWithProgress(): Promise<Verification> {
      using bar = progress('verifying')
      return await warehouse.verify(table!, { signal, onProgress: (fraction) => bar.update(fraction) })
    }
  },
})

/** One error for all damaged files; the others are warned of, or in its details. */
function damageError({ table, damaged }: Verification, warn: ((message: string) => void) | undefined): SkepError {
  for (const { message } of damaged) warn?.(message)
  const count = counted(damaged.length, 'file')
  const message = `${count} of ${table} ${damaged.length === 1 ? 'is' : 'are'} damaged or missing, first ${damaged[0]!.file}; restore from a copy, go back to a state without them, or drop the table and import it again`
  return new SkepError('FILE_INVALID', message, { file: damaged[0]!.file, files: damaged.map(({ file }) => file) })
}
