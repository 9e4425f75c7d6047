/** Where in the page we are: `#/tables/events?tab=files`. All that a link should bring back is in it. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { stored } from './stored.ts'

/** The views, by the first part of their paths. */
export const VIEWS = ['tables', 'sql', 'behaviour', 'activity'] as const

/** The name of a view. */
export type ViewName = (typeof VIEWS)[number]

/** A place in the page. */
export interface Route {
  view: ViewName
  /** The parts of the path behind the view. */
  path: readonly string[]
  query: Readonly<Record<string, string>>
}

/** What a query is changed to; `undefined` takes a field away. */
export type QueryChange = Readonly<Record<string, string | undefined>>

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

/** The place that the address names; tables when it names none. */
export const route: ReadonlySignal<Route> = computed(() => parseHash(hash.value))

/** The last address within each view, so that a tab leads back to where one was. */
const last = stored<Partial<Record<ViewName, string>>>('last', {})

/** The place that a hash names. */
export function parseHash(text: string): Route {
  const [path = '', query = ''] = text.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [view = '', ...rest] = path.split('/').filter(Boolean).map(decode)
  const known = (VIEWS as readonly string[]).includes(view)
  return {
    view: known ? (view as ViewName) : 'tables',
    path: known ? rest : [],
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The hash of a place. */
export function hrefOf(view: ViewName, path: readonly string[] = [], query: QueryChange = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const text = new URLSearchParams(given).toString()
  return `#/${[view, ...path].map(encodeURIComponent).join('/')}${text && `?${text}`}`
}

/** Where a tab leads: to where one was in its view. */
export function hrefOfView(view: ViewName): string {
  return route.value.view === view ? hrefOf(view) : (last.value[view] ?? hrefOf(view))
}

/** Goes to a place; with `replace`, Back leads over it. */
export function go(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', href)
  else history.pushState(null, '', href)
  hash.value = location.hash
}

/** Changes fields of the query of the place where we are; Back leads over it unless `push` is given. */
export function setQuery(change: QueryChange, { push = false } = {}): void {
  const { view, path, query } = route.value
  go(hrefOf(view, path, { ...query, ...change }), { replace: !push })
}

route.subscribe(({ view, path, query }) => {
  const href = hrefOf(view, path, query)
  // A very long address (a query in SQL) is kept by its own view.
  if (last.peek()[view] !== href && href.length < 4000) last.value = { ...last.peek(), [view]: href }
})
