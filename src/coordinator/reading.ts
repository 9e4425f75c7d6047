/** What reading an aggregation needs. */
import type { RunOptions, Session } from '../engine/engine.ts'
import type { Tables } from '../worker/aggregation-tables.ts'

/** A session that has the tables, and whose actors are read: `covered` is a condition on `class`. */
export interface Reading {
  session: Session
  options: RunOptions
  tables: Tables
  covered: string
}
