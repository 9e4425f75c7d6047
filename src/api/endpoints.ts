/** Every way into a warehouse over HTTP: method, path and the least role that may go it. Plain data, for servers and browsers alike. */

/** Who may do what: a reader asks, a writer changes tables, an admin rules the servers. `open` needs no token. */
export type Role = 'reader' | 'writer' | 'admin'

/** One route. Parts of the path that start with a colon are parameters. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  role: Role | 'open'
}

const API = '/api/v1'

/** The routes by their names. */
export const ENDPOINTS = {
  tables: { method: 'GET', path: `${API}/tables`, role: 'reader' },
  table: { method: 'GET', path: `${API}/tables/:table`, role: 'reader' },
  files: { method: 'GET', path: `${API}/tables/:table/files`, role: 'reader' },
  snapshots: { method: 'GET', path: `${API}/tables/:table/snapshots`, role: 'reader' },
  column: { method: 'GET', path: `${API}/tables/:table/columns/:column`, role: 'reader' },
  values: { method: 'GET', path: `${API}/tables/:table/columns/:column/values`, role: 'reader' },
  register: { method: 'POST', path: `${API}/tables/:table`, role: 'writer' },
  attach: { method: 'POST', path: `${API}/tables/:table/attach`, role: 'writer' },
  import: { method: 'POST', path: `${API}/tables/:table/import`, role: 'writer' },
  alter: { method: 'PATCH', path: `${API}/tables/:table`, role: 'writer' },
  rollback: { method: 'POST', path: `${API}/tables/:table/rollback`, role: 'writer' },
  remove: { method: 'DELETE', path: `${API}/tables/:table`, role: 'writer' },
  verify: { method: 'POST', path: `${API}/tables/:table/verify`, role: 'writer' },
  vacuumTable: { method: 'POST', path: `${API}/tables/:table/vacuum`, role: 'writer' },
  vacuum: { method: 'POST', path: `${API}/vacuum`, role: 'writer' },
  sql: { method: 'POST', path: `${API}/sql`, role: 'reader' },
  query: { method: 'POST', path: `${API}/tables/:table/query`, role: 'reader' },
  run: { method: 'POST', path: `${API}/run`, role: 'reader' },
  queries: { method: 'GET', path: `${API}/queries`, role: 'reader' },
  queryById: { method: 'GET', path: `${API}/queries/:id`, role: 'reader' },
  cancel: { method: 'DELETE', path: `${API}/queries/:id`, role: 'writer' },
  savedQueries: { method: 'GET', path: `${API}/saved`, role: 'reader' },
  savedQuery: { method: 'GET', path: `${API}/saved/:name`, role: 'reader' },
  saveQuery: { method: 'PUT', path: `${API}/saved/:name`, role: 'writer' },
  removeSavedQuery: { method: 'DELETE', path: `${API}/saved/:name`, role: 'writer' },
  workers: { method: 'GET', path: `${API}/workers`, role: 'reader' },
  session: { method: 'GET', path: `${API}/session`, role: 'reader' },
  openapi: { method: 'GET', path: `${API}/openapi.json`, role: 'reader' },
  datasets: { method: 'GET', path: '/datasets', role: 'reader' },
  datasetRegister: { method: 'POST', path: '/datasets/register', role: 'writer' },
  datasetUnregister: { method: 'POST', path: '/datasets/:name/unregister', role: 'writer' },
  datasetSchema: { method: 'GET', path: '/datasets/:name/schema', role: 'reader' },
  datasetParts: { method: 'GET', path: '/datasets/:name/parts', role: 'reader' },
  datasetQuery: { method: 'POST', path: '/datasets/:name/query', role: 'reader' },
  datasetEmptyQuery: { method: 'GET', path: '/datasets/:name/empty-query', role: 'reader' },
  healthz: { method: 'GET', path: '/healthz', role: 'open' },
  readyz: { method: 'GET', path: '/readyz', role: 'reader' },
  metrics: { method: 'GET', path: '/metrics', role: 'reader' },
} as const satisfies Record<string, Endpoint>

/** The name of a route. */
export type EndpointName = keyof typeof ENDPOINTS

/** The path of a route with its parameters filled in, without a query. */
export function pathOf(name: EndpointName, params: Readonly<Record<string, string>> = {}): string {
  return ENDPOINTS[name].path.replaceAll(/:([a-z]+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ''))
}
