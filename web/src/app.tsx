/** The frame of the page: header, the view that the address names, messages, and the questions that may come at any time. */
import type { ComponentType, JSX } from 'preact'
import { lazy, Suspense } from 'preact/compat'
import { useEffect, useErrorBoundary, useState } from 'preact/hooks'
import { toApiError } from './api/errors.ts'
import { tokenAsked } from './api/token.ts'
import { Button, ErrorBox, Ghost } from './components/basics.tsx'
import { Icon, Logo } from './components/icons.tsx'
import { shortcuts, useShortcuts } from './keys.ts'
import { go, hrefOf, hrefOfView, route, VIEWS, type ViewName } from './route.ts'
import { session, tables } from './session.ts'
import { KeysDialog, TokenDialog } from './shell-dialogs.tsx'
import { nextTheme, theme } from './theme.ts'
import { closeToast, toasts } from './toasts.ts'
import { ImportHost } from './views/tables/import-host.tsx'
import { TablesView } from './views/tables/index.tsx'

const TITLES: Record<ViewName, string> = {
  tables: 'Tables',
  sql: 'SQL',
  behaviour: 'Behaviour',
  activity: 'Activity',
}

/** Each view is a part of its own, but for the one that people see first. */
const PARTS: Record<ViewName, ComponentType> = {
  tables: TablesView,
  sql: lazy(() => import('./views/sql/index.tsx').then(({ SqlView }) => ({ default: SqlView }))),
  behaviour: lazy(() =>
    import('./views/behaviour/index.tsx').then(({ BehaviourView }) => ({ default: BehaviourView })),
  ),
  activity: lazy(() => import('./views/activity/index.tsx').then(({ ActivityView }) => ({ default: ActivityView }))),
}

/** The page. */
export function App(): JSX.Element {
  const [showsKeys, setShowsKeys] = useState(false)
  const { view } = route.value
  useEffect(() => {
    void session.reload()
    void tables.reload()
  }, [])
  const name = session.state.value.value?.warehouse
  useEffect(() => {
    document.title = `${TITLES[view]} · ${name ?? 'Skep'}`
  }, [view, name])
  useShortcuts([
    ...VIEWS.map((target) => ({
      keys: `g ${target[0]}`,
      label: `Go to ${TITLES[target]}`,
      run: () => go(hrefOfView(target)),
    })),
    { keys: '/', label: 'Search', run: () => document.querySelector<HTMLElement>('[data-search]')?.focus() },
    { keys: '?', label: 'Show these shortcuts', run: () => setShowsKeys(true) },
  ])
  const View = PARTS[view]
  return (
    <div class="shell">
      <a
        class="skip button"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        Skip to content
      </a>
      <Header view={view} onKeys={() => setShowsKeys(true)} />
      <main class="main" id="main" tabIndex={-1}>
        <Suspense fallback={<Waiting />}>
          <Guarded key={view}>
            <View />
          </Guarded>
        </Suspense>
      </main>
      <ImportHost />
      <Toasts />
      {showsKeys && <KeysDialog list={shortcuts()} onClose={() => setShowsKeys(false)} />}
      {tokenAsked.value && <TokenDialog reason={tokenAsked.value.reason} />}
    </div>
  )
}

function Header({ view, onKeys }: { view: ViewName; onKeys(): void }): JSX.Element {
  const { value } = session.state.value
  const icon = ({ system: 'system', light: 'sun', dark: 'moon' } as const)[theme.value]
  return (
    <header class="header">
      <a class="brand" href={hrefOf('tables')}>
        <Logo />
        <span>Skep</span>
        {value && (
          <span class="brand-place truncate" title={`Warehouse ${value.warehouse}`}>
            {value.warehouse}
          </span>
        )}
      </a>
      <nav class="header-tabs" aria-label="Views">
        {VIEWS.map((name) => (
          <a key={name} href={hrefOfView(name)} aria-current={name === view ? 'page' : undefined}>
            {TITLES[name]}
          </a>
        ))}
      </nav>
      <div class="header-end">
        <Button tone="quiet" icon={icon} label={`Colours: ${theme.value}`} onClick={nextTheme} />
        <Button tone="quiet" icon="help" label="Keyboard shortcuts" onClick={onKeys} />
      </div>
    </header>
  )
}

/** A defect in one view leaves the others usable. */
function Guarded({ children }: { children: JSX.Element }): JSX.Element {
  const [defect, forget] = useErrorBoundary()
  if (!defect) return children
  return (
    <div class="view">
      <h1 class="unseen">Error</h1>
      <ErrorBox error={toApiError(defect)} onRetry={forget} />
    </div>
  )
}

function Waiting(): JSX.Element {
  return (
    <div class="view">
      <Ghost lines={6} />
    </div>
  )
}

function Toasts(): JSX.Element {
  return (
    <section class="toasts" aria-label="Messages" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <div key={id} class="toast" data-tone={tone} role={tone === 'bad' ? 'alert' : undefined}>
          <span>{text}</span>
          <Button tone="quiet" aria-label="Close" onClick={() => closeToast(id)}>
            <Icon name="close" />
          </Button>
        </div>
      ))}
    </section>
  )
}
