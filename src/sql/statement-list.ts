/** Every kind of statement of the engine's pinned version, by what the fence does with it; compared with the engine's own list by a test. */

/** Kinds that are accepted: what the engine serialises as a query. */
export const ACCEPTED_STATEMENTS = 'SELECT'

/** Kinds that are refused, each with why. */
export const REFUSED_STATEMENTS = {
  'changes tables': 'INSERT UPDATE DELETE MERGE_INTO CREATE CREATE_FUNC ALTER DROP VACUUM ANALYZE',
  'reads or writes files': 'COPY EXPORT COPY_DATABASE ATTACH DETACH LOAD EXTENSION UPDATE_EXTENSIONS',
  'changes the session': 'SET VARIABLE_SET PRAGMA TRANSACTION PREPARE EXECUTE',
  'calls a procedure': 'CALL',
  'shows a plan; `--explain` does': 'EXPLAIN',
  'is never written as SQL': 'INVALID RELATION LOGICAL_PLAN MULTI',
} as const
