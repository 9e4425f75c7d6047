/** `skep vacuum`. */
import type { FileCount, Removed, VacuumResult } from '../../maintenance/vacuum.ts'
import { defineCommand } from '../command.ts'
import { counted, sizeText } from '../output/numbers.ts'
import { visible } from '../output/width.ts'

/** Removes what nobody needs any more. */
export const vacuumCommand = defineCommand({
  summary: 'Removes old snapshots, and files that nobody needs',
  usage: 'skep vacuum [T] [--older-than AGE] [--dry-run]',
  description:
    'What a dead writer left goes at once, files of writers at work stay. Without a table, all of the warehouse is cleaned. States that go can no longer be asked for with `--at`.',
  arguments: [{ name: 'T', optional: true, help: 'Name of the table; all tables and leftovers when absent.' }],
  flags: {
    'older-than': {
      value: 'AGE',
      help: 'How long ago a state was replaced, or an abandoned file written: `12h`, `7d`; `SKEP_VACUUM_AGE_MS` when absent.',
    },
    'dry-run': { help: 'Says what would be removed, and removes nothing.' },
  },
  examples: [
    { line: 'skep vacuum --dry-run', does: 'what there is to remove' },
    { line: 'skep vacuum events --older-than 30d', does: 'keeps thirty days of history' },
  ],
  run: async ({ arguments: [table], flags, open, json, signal, document, stdout }) => {
    const warehouse = await open()
    const olderThan = flags['older-than']
    const options = { ...(olderThan === undefined ? {} : { olderThan }), dryRun: flags['dry-run'], signal }
    const result = await warehouse.vacuum(table, options)
    if (json) await document(result)
    else await stdout.write(`${linesOf(result).join('\n')}\n`)
  },
})

const NAMES: Record<keyof Removed, string> = {
  dataFiles: 'data file',
  manifests: 'manifest',
  manifestLists: 'manifest list',
  ledgers: 'ledger',
  metadataVersions: 'metadata version',
  leases: 'lease',
  other: 'other file',
}

function linesOf({ dryRun, tables, folders, temporary, total }: VacuumResult): string[] {
  const verb = dryRun ? 'would be removed' : 'removed'
  const lines = tables.map(({ table, snapshots, removed, spared }) => {
    const parts = [...(snapshots > 0 ? [counted(snapshots, 'snapshot')] : []), ...partsOf(removed)]
    const kept = spared.files > 0 ? `; ${countText(spared)} of writers at work or too young` : ''
    return `${visible(table)}: ${parts.length > 0 ? `${parts.join(', ')} ${verb}` : 'nothing to remove'}${kept}`
  })
  for (const { folder, table, why, removed } of folders) {
    const parts = partsOf(removed)
    if (parts.length > 0)
      lines.push(`${folder} (${why}${table === undefined ? '' : `: ${visible(table)}`}): ${parts.join(', ')} ${verb}`)
  }
  if (temporary.files > 0) lines.push(`temporary files of dead processes: ${countText(temporary)} ${verb}`)
  return [...lines, `in all: ${counted(total.snapshots, 'snapshot')}, ${countText(total)} ${verb}`]
}

function partsOf(removed: Removed): string[] {
  return Object.entries(removed).map(
    ([kind, { files, bytes }]) => `${counted(files, NAMES[kind as keyof Removed])} (${sizeText(bytes)})`,
  )
}

function countText({ files, bytes }: FileCount): string {
  return `${counted(files, 'file')} (${sizeText(bytes)})`
}
