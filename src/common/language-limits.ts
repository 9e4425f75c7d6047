/** The limits of the behavioural query language that a user may meet. Part of `SETTINGS`. */

/** The limits by name. */
export const LANGUAGE_LIMITS = {
  filterDepth: { unit: 'levels', default: 100, help: 'Levels of nested filters, or of parentheses in a relation.' },
  jsonDepth: { unit: 'levels', default: 200, help: 'Levels of nested JSON in a query.' },
  anyOrderSteps: { unit: 'count', default: 16, help: 'Steps of a sequence with `order: "any"`.' },
  predicates: { unit: 'count', default: 63, help: 'Distinct row filters in one behavioural query.' },
  violations: { unit: 'count', default: 1000, help: 'Violations that one error lists.' },
  topDefault: { unit: 'count', default: 10, help: 'Entries of a map aggregation when the query does not say `top`.' },
} as const
