/** What a warehouse offers wherever it is: in this process or behind a server. */
import type { Warehouse } from '../warehouse.ts'

/** The calls that mean the same on both sides. Files are brought in and out differently, as they lie where the caller is. */
export type WarehouseSurface = AsyncDisposable &
  Pick<
    Warehouse,
    | 'alter'
    | 'attach'
    | 'close'
    | 'describe'
    | 'drop'
    | 'explain'
    | 'explainQuery'
    | 'query'
    | 'register'
    | 'removeSavedQuery'
    | 'rollback'
    | 'run'
    | 'saveQuery'
    | 'savedQueries'
    | 'savedQuery'
    | 'snapshots'
    | 'sql'
    | 'stream'
    | 'tables'
    | 'unregister'
    | 'vacuum'
    | 'verify'
  >
