/** A warehouse behind a server, with files of this machine. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { ImportBody } from '../client/files.ts'
import { type RemoteImportOptions, RemoteWarehouse } from '../client/remote-warehouse.ts'
import type { NamedFile } from '../client/tar.ts'
import { readSettings, readToken } from '../config.ts'
import type { SqlOptions } from '../coordinator/calls.ts'
import type { ImportOptions, ImportResult } from '../inputs/import.ts'
import { findSources, type SourceFile } from '../inputs/sources.ts'
import type { BuzzDocument } from '../planner/buzz.ts'
import { removeFolder } from '../storage/temporary.ts'
import { invalid } from './arguments.ts'
import type { CommandWarehouse } from './command-warehouse.ts'

/** A server that a command works through. */
export class ServedWarehouse extends RemoteWarehouse implements CommandWarehouse {
  readonly #maxFiles: number

  /** @throws ARGUMENT_INVALID */
  constructor(url: string, { env, signal }: { env: Record<string, string | undefined>; signal: AbortSignal }) {
    const token = readToken(env)
    super(url, { signal, ...(token !== undefined && { token }) })
    this.#maxFiles = readSettings(env).importFiles
  }

  get root(): string {
    return this.url
  }

  override async import(
    table: string,
    files: ImportBody | readonly string[],
    options: RemoteImportOptions | ImportOptions = {},
  ): Promise<ImportResult> {
    if (!areNames(files)) return await super.import(table, files, options as RemoteImportOptions)
    const { rejects, onProgress, ...asked } = options as ImportOptions
    if (rejects !== undefined) {
      throw invalid('rejects', '--rejects is for a warehouse in a folder; a server does not send rejected rows back')
    }
    const spillPath = join(tmpdir(), `skep-${process.pid}-${Date.now()}`)
    try {
      const found = await findSources(files, { ...asked, spillPath, maxFiles: this.#maxFiles })
      const bytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      return await super.import(table, found.map(sentFile), {
        ...asked,
        ...formatOf(found),
        onProgress: (fraction) => onProgress?.({ phase: 'read', fraction, bytes }),
      })
    } finally {
      await removeFolder(spillPath)
    }
  }

  async exportParquet(query: string | BuzzDocument, path: string, options: SqlOptions = {}): Promise<{ rows: number }> {
    const { rows, pieces } = await this.parquet(query, options)
    await using file = await open(path, 'w')
    for await (const piece of pieces) await file.writeFile(piece)
    await file.sync()
    return { rows }
  }
}

function areNames(files: ImportBody | readonly string[]): files is readonly string[] {
  return Array.isArray(files) && files.every((file) => typeof file === 'string')
}

/** The files one after another, each opened when it is its turn. */
function sentFile({ path, label, sizeBytes }: SourceFile): NamedFile {
  return {
    name: label,
    size: sizeBytes,
    stream: () => Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
  }
}

/** The format that all files have; none where they differ, which the server refuses. */
function formatOf(files: readonly SourceFile[]): Pick<ImportOptions, 'format'> {
  const [first, ...others] = files
  return first && others.every(({ format }) => format === first.format) ? { format: first.format } : {}
}
