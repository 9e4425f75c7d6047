/** Writes the JSON Schema of behavioural queries. `node scripts/query-schema.ts`; a test compares it with what is committed. */
import { writeFile } from 'node:fs/promises'
import { querySchema } from '../src/behaviour/query-schema.ts'

await writeFile(
  new URL('../docs/reference/query.schema.json', import.meta.url),
  `${JSON.stringify(querySchema(), null, 2)}\n`,
)
