/** Takes files that are dropped anywhere on the page, and shows the dialog that imports them. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { lazy, Suspense } from 'preact/compat'
import { useEffect } from 'preact/hooks'
import { Icon } from '../../components/icons.tsx'
import { route } from '../../route.ts'
import { mayWrite } from '../../session.ts'
import { toast } from '../../toasts.ts'
import './import.css'
import { wanted } from './import-state.ts'

const ImportDialog = lazy(() => import('./import-dialog.tsx').then(({ ImportDialog }) => ({ default: ImportDialog })))

/** The place of the import in the page. */
export function ImportHost(): JSX.Element {
  const isOver = useSignal(false)
  useEffect(() => listen((over) => (isOver.value = over)), [])
  return (
    <>
      {isOver.value && (
        <div class="drop" aria-hidden="true">
          <Icon name="upload" size={40} />
          <strong>{mayWrite.value ? 'Drop to import' : 'Your token may only read'}</strong>
          <span>Parquet, CSV or NDJSON</span>
        </div>
      )}
      {wanted.value && (
        <Suspense fallback={null}>
          <ImportDialog wanted={wanted.value} onClose={() => (wanted.value = undefined)} />
        </Suspense>
      )}
    </>
  )
}

/** Watches files over the page; returns how to stop. */
function listen(tell: (over: boolean) => void): () => void {
  const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
  const over = (event: DragEvent) => {
    if (!carriesFiles(event)) return
    event.preventDefault()
    tell(true)
  }
  const leave = (event: DragEvent) => {
    if (event.relatedTarget === null) tell(false)
  }
  const drop = (event: DragEvent) => {
    if (!carriesFiles(event)) return
    event.preventDefault()
    tell(false)
    const files = [...(event.dataTransfer?.files ?? [])]
    if (!mayWrite.peek()) toast('Your token may only read; importing needs a writer’s.', 'bad')
    else if (files.length > 0) wanted.value = { files, table: tableInSight() }
  }
  addEventListener('dragover', over)
  addEventListener('dragleave', leave)
  addEventListener('drop', drop)
  return () => {
    removeEventListener('dragover', over)
    removeEventListener('dragleave', leave)
    removeEventListener('drop', drop)
  }
}

function tableInSight(): string | undefined {
  const { view, path } = route.peek()
  return view === 'tables' ? path[0] : undefined
}
