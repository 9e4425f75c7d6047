/** The public API of Skep. */
export { query, rows, sequence, step } from './behaviour/builder.ts'
export {
  and,
  between,
  contains,
  endsWith,
  eq,
  gt,
  gte,
  isNotNull,
  isNull,
  lt,
  lte,
  matches,
  ne,
  noneOf,
  not,
  notContains,
  oneOf,
  or,
  startsWith,
} from './behaviour/filters.ts'
export type {
  AggregationResult,
  BehaviouralResult,
  FunnelStepResult,
  MatchResult,
  Warning,
} from './behaviour/result.ts'
export type {
  AggregationClause,
  AggregationType,
  BehaviouralQuery,
  Filter,
  FilterOperator,
  FilterValue,
  RowFilter,
  RowsCondition,
  SequenceClause,
  SequenceCondition,
  Step,
  Target,
  TargetOperator,
  VerboseFilter,
  VerboseTarget,
} from './behaviour/types.ts'
export type { Alteration } from './catalog/alteration.ts'
export type { SnapshotInfo, TableFormat, TableKeys, TableKind, TimeUnit, Validation } from './catalog/types.ts'
export type { Settings } from './config.ts'
export type { AtOption } from './coordinator/at.ts'
export type { AttachOptions } from './coordinator/attach.ts'
export type { BehaviouralStats } from './coordinator/behaviour-result.ts'
export type {
  CallOptions,
  DocumentOptions,
  QueryOptions,
  RollbackResult,
  SqlExplanation,
  SqlOptions,
  SqlResult,
  SqlStream,
} from './coordinator/calls.ts'
export type { ColumnDistribution, ColumnOptions, Histogram, ValueCount, ValuesOptions } from './coordinator/columns.ts'
export type { ColumnDescription, FileDescription, TableDescription, TableSummary } from './coordinator/describe.ts'
export type { BehaviouralExplanation, Layout } from './coordinator/explain-behaviour.ts'
export type { DividedStats } from './coordinator/query-work.ts'
export type { QueryStats, ReadStats, ResultColumn, TableScan } from './coordinator/sql.ts'
export type { Phase, PhaseTimes, WorkStats } from './coordinator/statistics.ts'
export type { Damage, Verification } from './coordinator/verify.ts'
export type { BoundValue, BoundValues } from './engine/parameters.ts'
export type { JsonValue } from './engine/values.ts'
export type { DocumentViolation, ErrorCode, ErrorDetails, ErrorKind, Violation } from './errors.ts'
export { ERROR_CODES, ERROR_KINDS, isSkepError, SkepError } from './errors.ts'
export type { FileFormat, ImportOptions, ImportProgress, ImportResult } from './inputs/import.ts'
export type { RegisterOptions, RegisterResult } from './inputs/register.ts'
export type { FileCount, FolderVacuum, Removed, RemovedKind, TableVacuum, VacuumResult } from './maintenance/vacuum.ts'
export type { VacuumOptions } from './maintenance/vacuum-disk.ts'
export type { BuzzCatalog, BuzzDocument, BuzzStep, CatalogType } from './planner/buzz.ts'
export type { WorkerInfo } from './pool/pool.ts'
export type { QueryRecord, QueryState, RecordKind } from './records/query-record.ts'
export type { DamagedQuery, QueryKind, QueryToSave, SavedQuery } from './records/saved-queries.ts'
export { Warehouse } from './warehouse.ts'
