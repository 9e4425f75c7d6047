/** Asks into which table files go, and imports them one after another. */
import { useComputed, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { type ApiError, isAbort, toApiError } from '../../api/errors.ts'
import { upload } from '../../api/upload.ts'
import { Button, Dialog, ErrorBox, Field, ProgressBar, Select } from '../../components/basics.tsx'
import { Combobox } from '../../components/popups.tsx'
import * as format from '../../format.ts'
import { go, hrefOf } from '../../route.ts'
import { forgetTables, tables } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { type GuessedColumn, guessActor, guessTime, guessUnit, kindOf, tableNameOf } from './guess.ts'
import { columnsOf } from './head.ts'
import type { Wanted } from './import-state.ts'

type Unit = 's' | 'ms' | 'us' | 'ns'
type Mode = 'append' | 'replace'

interface Form {
  table: string
  actor: string
  time: string
  unit: Unit
  mode: Mode
}

interface Running {
  fraction: number
  text: string
}

const UNITS = [
  { value: 's', label: 'seconds' },
  { value: 'ms', label: 'milliseconds' },
  { value: 'us', label: 'microseconds' },
  { value: 'ns', label: 'nanoseconds' },
] as const

/** The dialog for files that were dropped or chosen. */
export function ImportDialog({ wanted, onClose }: { wanted: Wanted; onClose(): void }): JSX.Element {
  const { files } = wanted
  const strange = files.find(({ name }) => !kindOf(name))
  const columns = useSignal<readonly GuessedColumn[]>([])
  const form = useSignal<Form>({
    table: wanted.table ?? tableNameOf(files[0]!.name),
    actor: '',
    time: '',
    unit: 'ms',
    mode: 'append',
  })
  const running = useSignal<Running | undefined>(undefined)
  const error = useSignal<ApiError | undefined>(undefined)
  const controller = useMemo(() => new AbortController(), [wanted])
  const existing = useComputed(() => tables.state.value.value?.find(({ name }) => name === form.value.table))
  useEffect(() => void look(), [wanted])

  const look = async () => {
    const kind = kindOf(files[0]!.name)
    if (!kind) return
    columns.value = await columnsOf(files[0]!, kind)
    const time = guessTime(columns.value) ?? ''
    form.value = { ...form.value, actor: guessActor(columns.value) ?? '', time, unit: unitOf(columns.value, time) }
  }
  const close = () => {
    controller.abort()
    onClose()
  }
  const start = async () => {
    error.value = undefined
    try {
      const rows = await importAll(files, form.value, {
        isNew: existing.value === undefined,
        needsUnit: unitNeeded(columns.value, form.value.time),
        signal: controller.signal,
        tell: (state) => (running.value = state),
      })
      await forgetTables()
      onClose()
      go(hrefOf('tables', [form.value.table]))
      toast(`Imported ${format.counted(rows, 'row')} into ${form.value.table}`)
    } catch (cause) {
      if (!isAbort(cause)) error.value = toApiError(cause)
    } finally {
      running.value = undefined
    }
  }
  const footer = (
    <>
      <Button onClick={close}>Cancel</Button>
      <Button
        tone="primary"
        icon="upload"
        disabled={running.value !== undefined || strange !== undefined || !form.value.table.trim()}
        onClick={() => void start()}
      >
        {existing.value ? (form.value.mode === 'replace' ? 'Replace the rows' : 'Add the rows') : 'Create the table'}
      </Button>
    </>
  )
  return (
    <Dialog title={`Import ${format.counted(files.length, 'file')}`} onClose={close} footer={footer}>
      <FileList files={files} />
      {strange && (
        <p role="alert" style={{ color: 'var(--bad)' }}>
          {strange.name} is none of Parquet, CSV and NDJSON by its name. Choose files that end with .parquet, .csv,
          .tsv, .ndjson, .jsonl, or one of these and .gz or .zst.
        </p>
      )}
      <FormFields
        form={form.value}
        columns={columns.value}
        existing={existing.value}
        onChange={(change) => (form.value = { ...form.value, ...change })}
      />
      {running.value && <Underway {...running.value} />}
      {error.value && <ErrorBox error={error.value} />}
    </Dialog>
  )
}

function unitOf(columns: readonly GuessedColumn[], time: string): Unit {
  return guessUnit(columns.find(({ name }) => name === time)?.sample ?? Date.now())
}

function unitNeeded(columns: readonly GuessedColumn[], time: string): boolean {
  return columns.find(({ name }) => name === time)?.kind === 'integer'
}

/** The number of rows that were imported. @throws ApiError */
async function importAll(
  files: readonly File[],
  { table, actor, time, unit, mode }: Form,
  options: { isNew: boolean; needsUnit: boolean; signal: AbortSignal; tell(state: Running): void },
): Promise<number> {
  const keys = {
    ...(actor && { actor }),
    ...(time && { time }),
    ...(time && options.needsUnit && { timeUnit: unit }),
  }
  let rows = 0
  for (const [index, file] of files.entries()) {
    const { format: kind, headers } = kindOf(file.name)!
    const replace = !options.isNew && mode === 'replace' && index === 0
    const result = await upload({
      table,
      file,
      headers,
      query: { format: kind, ...(options.isNew && keys), ...(replace && { replace }) },
      signal: options.signal,
      onProgress: (fraction, state) =>
        options.tell({
          fraction: (index + (state === 'sending' ? fraction * 0.3 : Math.max(0.3, fraction))) / files.length,
          text: `${state === 'sending' ? 'Sending' : 'Importing'} ${file.name}`,
        }),
    })
    rows += result.rows
  }
  return rows
}

function FileList({ files }: { files: readonly File[] }): JSX.Element {
  return (
    <ul class="import-files">
      {files.map(({ name, size }) => (
        <li key={name}>
          <span class="mono truncate">{name}</span>
          <span class="quiet number">{format.bytes(size)}</span>
        </li>
      ))}
    </ul>
  )
}

function FormFields({
  form,
  columns,
  existing,
  onChange,
}: {
  form: Form
  columns: readonly GuessedColumn[]
  existing: { kind: string } | undefined
  onChange(change: Partial<Form>): void
}): JSX.Element {
  const suggest = (text: string) =>
    (tables.state.peek().value ?? [])
      .filter(({ kind, name }) => kind === 'managed' && name.includes(text))
      .map(({ name, rows }) => ({ value: name, note: format.counted(rows, 'row') }))
  return (
    <>
      <Field label="Table" hint={existing ? 'This table is there already.' : 'A new table of this name.'}>
        {(ids) => (
          <Combobox
            label="Table"
            value={form.table}
            onChange={(table) => onChange({ table })}
            suggest={suggest}
            {...ids}
          />
        )}
      </Field>
      {existing ? (
        <Select
          label="Its rows"
          value={form.mode}
          options={[
            { value: 'append', label: 'Keep them and add these' },
            { value: 'replace', label: 'Replace them; the old state stays in the history' },
          ]}
          onChange={(mode) => onChange({ mode })}
        />
      ) : (
        <KeyFields form={form} columns={columns} onChange={onChange} />
      )}
    </>
  )
}

function KeyFields({
  form,
  columns,
  onChange,
}: {
  form: Form
  columns: readonly GuessedColumn[]
  onChange(change: Partial<Form>): void
}): JSX.Element {
  const names = columns.map(({ name }) => ({ value: name, label: name }))
  const none = { value: '', label: 'None' }
  if (columns.length === 0) return <TypedKeys form={form} onChange={onChange} />
  return (
    <div class="import-keys">
      <Select
        label="Actor"
        hint="Who acts: a user, an account, a device"
        value={form.actor}
        options={[none, ...names]}
        onChange={(actor) => onChange({ actor })}
      />
      <Select
        label="Time"
        hint="When it was"
        value={form.time}
        options={[none, ...names]}
        onChange={(time) => onChange({ time, unit: unitOf(columns, time) })}
      />
      {unitNeeded(columns, form.time) && (
        <Select label="Its unit" value={form.unit} options={UNITS} onChange={(unit) => onChange({ unit })} />
      )}
    </div>
  )
}

/** For files whose columns cannot be looked at from here. */
function TypedKeys({ form, onChange }: { form: Form; onChange(change: Partial<Form>): void }): JSX.Element {
  return (
    <div class="import-keys">
      {(['actor', 'time'] as const).map((key) => (
        <Field
          key={key}
          label={key === 'actor' ? 'Actor column' : 'Time column'}
          hint={key === 'actor' ? 'Who acts; may be empty' : 'When it was; may be empty'}
        >
          {(ids) => (
            <input
              class="input"
              {...ids}
              value={form[key]}
              onInput={(event) => onChange({ [key]: event.currentTarget.value })}
            />
          )}
        </Field>
      ))}
    </div>
  )
}

function Underway({ fraction, text }: Running): JSX.Element {
  return (
    <div class="stack" style={{ gap: 'var(--gap-1)' }}>
      <ProgressBar value={fraction} label={text} />
      <p class="quiet small" aria-live="polite">
        {text}
      </p>
    </div>
  )
}
