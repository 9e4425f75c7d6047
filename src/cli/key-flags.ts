/** Flags that `import`, `register` and `attach` share. */

/** The flag for the unit of an integer time column. */
export const TIME_UNIT_FLAG = {
  value: 'UNIT',
  choices: ['s', 'ms', 'us', 'ns'],
  help: 'Unit of an integer time column: seconds, milliseconds, microseconds or nanoseconds.',
} as const
