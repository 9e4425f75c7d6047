/** What SQL from users may call. Files and settings are out of reach of everything else by the engine's own fence. */

/** Table functions that compute from their arguments alone; every other one is refused. */
export const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  'generate_series',
  'generate_subscripts',
  'json_each',
  'json_tree',
  'range',
  'repeat',
  'repeat_row',
  'unnest',
])

/** Scalar functions that tell of the process, wait, or leave something behind. */
export const FORBIDDEN_FUNCTIONS: ReadonlySet<string> = new Set([
  'current_setting',
  'currval',
  'getenv',
  'getvariable',
  'json_serialize_plan',
  'nextval',
  'pg_sleep',
  'setseed',
  'sleep_ms',
  'write_log',
])

/** Functions whose value over constants is the same for the whole of a transaction: they may stand in a bound that prunes files. */
export const STABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  'concat',
  'current_date',
  'current_timestamp',
  'date_trunc',
  'epoch_ms',
  'get_current_timestamp',
  'lower',
  'make_date',
  'make_timestamp',
  'now',
  'strptime',
  'to_days',
  'to_hours',
  'to_microseconds',
  'to_milliseconds',
  'to_minutes',
  'to_months',
  'to_seconds',
  'to_timestamp',
  'to_weeks',
  'to_years',
  'today',
  'trunc',
  'upper',
])
