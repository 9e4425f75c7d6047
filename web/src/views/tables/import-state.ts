/** The files that somebody wants to import. */
import { signal } from '@preact/signals'

/** Files to import, into a table that may be chosen already. */
export interface Wanted {
  files: readonly File[]
  table?: string | undefined
}

/** What the import dialog is open for. */
export const wanted = signal<Wanted | undefined>(undefined)

/** The endings of files that can be imported, for the chooser. */
export const ACCEPT = '.parquet,.csv,.tsv,.ndjson,.jsonl,.json,.gz,.zst'

/** Opens the import dialog with files from the chooser of the browser. */
export function chooseFiles(table?: string): void {
  const input = document.createElement('input')
  input.type = 'file'
  input.multiple = true
  input.accept = ACCEPT
  input.onchange = () => {
    const files = [...(input.files ?? [])]
    if (files.length > 0) wanted.value = { files, table }
  }
  input.click()
}
