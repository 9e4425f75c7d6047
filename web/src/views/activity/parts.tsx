/** What the list and the page of a query both show. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { toApiError } from '../../api/errors.ts'
import { Badge, Button } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import { mayWrite } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { isActive, oneLine, type QueryRecord, tookMs } from './model.ts'

const TONES = { queued: undefined, running: 'accent', done: 'good', failed: 'bad', cancelled: undefined } as const

/** How far a query is, in a word. */
export function StateBadge({ state }: Pick<QueryRecord, 'state'>): JSX.Element {
  return <Badge tone={TONES[state]}>{state}</Badge>
}

/** How long a query takes or took. */
export function Took({ record }: { record: QueryRecord }): JSX.Element {
  const ms = tookMs(record)
  return <>{ms === undefined ? '–' : format.duration(ms)}</>
}

/** Ends a query that waits or runs, where we may. */
export function CancelButton({ record, onDone }: { record: QueryRecord; onDone(): void }): JSX.Element | null {
  const asked = useSignal(false)
  if (!isActive(record) || !mayWrite.value) return null
  const cancel = async () => {
    asked.value = true
    try {
      await call('cancel', { params: { id: record.id } })
    } catch (cause) {
      asked.value = false
      toast(toApiError(cause).message, 'bad')
    }
    onDone()
  }
  return (
    <Button
      icon="close"
      disabled={asked.value}
      aria-label={`Cancel ${oneLine(record).slice(0, 60)}`}
      onClick={(event) => {
        event.stopPropagation()
        void cancel()
      }}
    >
      {asked.value ? 'Cancelling…' : 'Cancel'}
    </Button>
  )
}
