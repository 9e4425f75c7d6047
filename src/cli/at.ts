/** `--at`: which state of the tables a query reads. */

/** The flag of the commands that take it. */
export const AT_FLAG = {
  value: 'X',
  repeated: true,
  help: 'Reads the past: an ISO 8601 time (every table that has a history as of then), a snapshot id (the one such table of the query), or `t=id` for each of several.',
} as const
