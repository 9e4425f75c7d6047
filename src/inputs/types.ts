/** What import and registration work with. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Settings } from '../config.ts'

/** The warehouse as inputs see it. */
export interface InputContext {
  catalog: Catalog
  settings: Settings
  /** Folder of the warehouse. */
  root: string
  /** A folder for data on its way, made when it is needed and removed at the end. */
  spillPath: string
}
