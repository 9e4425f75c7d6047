/** `skep query`. */

import { readAt } from '../../api/at-text.ts'
import type { BehaviouralResult } from '../../behaviour/result.ts'
import type { BehaviouralStats } from '../../coordinator/behaviour-result.ts'
import { invalid } from '../arguments.ts'
import { AT_FLAG } from '../at.ts'
import { type CommandContext, defineCommand, type FlagSpecs } from '../command.ts'
import { readQueryText } from '../input-text.ts'
import { behaviourLines } from '../output/behaviour.ts'
import { explanationLines } from '../output/explanation.ts'
import { POOL_FLAGS, readPoolFlags, showingProgress } from '../pool-flags.ts'

const FLAGS = {
  file: { value: 'FILE', help: 'Reads the query from a file.' },
  query: { value: 'JSON', help: 'The query itself.' },
  explain: { help: 'Shows in words what the query means, and what would be read and done for it, without running it.' },
  at: AT_FLAG,
  ...POOL_FLAGS,
} as const satisfies FlagSpecs

/** Runs a behavioural query. */
export const queryCommand = defineCommand({
  summary: 'Runs a behavioural query: conditions, sequences and funnels over actors',
  usage:
    'skep query T [--file FILE | --query JSON | -] [--explain] [--at X] [--pool inline|threads] [--max-cost DOLLARS] [--max-bytes SIZE]',
  description: 'The table needs an actor and a time column. The query is one JSON document.',
  arguments: [
    { name: 'T', help: 'Name of the table.' },
    { name: '-', optional: true, help: 'Reads the query from the standard input.' },
  ],
  flags: FLAGS,
  examples: [
    {
      line: `skep query events --query '{"query": {"conditions": [{"filter": ["event", "==", "buy"]}]}}'`,
      does: 'how many bought something',
    },
    { line: 'skep query events --file funnel.json --json', does: 'the whole result as a document' },
    { line: 'skep query events --file funnel.json --explain', does: 'what it means, step by step' },
  ],
  run: async (context) => {
    const table = context.arguments[0]!
    const at = readAt(context.flags.at)
    const spending = readPoolFlags(context.flags)
    const text = await readSource(context)
    const warehouse = await context.open()
    if (context.flags.explain) {
      const explanation = await warehouse.explainQuery(table, text, {
        ...(at === undefined ? {} : { at }),
        ...spending,
      })
      if (context.json) return await context.document(explanation)
      const { style, width } = context
      return await context.stdout.write(`${explanationLines(explanation, { style, width }).join('\n')}\n`)
    }
    let result: BehaviouralResult<BehaviouralStats>
    {
      using bar = context.progress('query')
      const { signal } = context
      const onProgress = showingProgress(bar)
      result = await warehouse.query(table, text, {
        signal,
        onProgress,
        ...(at === undefined ? {} : { at }),
        ...spending,
      })
    }
    if (context.json) return await context.document(result)
    for (const { message } of result.warnings ?? []) context.warn(message)
    const { style, width } = context
    const lines = behaviourLines({ table, text, result }, { style, width })
    await context.stdout.write(`${lines.join('\n')}\n`)
  },
})

/** The query's text, from the one place that was named. */
async function readSource(context: CommandContext<typeof FLAGS>): Promise<string> {
  const { file, query } = context.flags
  const place = context.arguments[1]
  if (place !== undefined && place !== '-') {
    throw invalid(place, `unexpected argument "${place}"; a query comes from --file FILE, --query JSON or -`)
  }
  const sources = [file, query, place].filter((source) => source !== undefined)
  if (sources.length !== 1) {
    const found = sources.length === 0 ? 'a query is missing' : 'more than one query is given'
    throw invalid('query', `${found}: exactly one of --file FILE, --query JSON and - (the standard input)`)
  }
  return query ?? (await readQueryText(file ?? '-', context))
}
