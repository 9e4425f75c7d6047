/** `skep serve`. */
import { once } from 'node:events'
import { readToken, SETTINGS } from '../../config.ts'
import type { LogLevel } from '../../server/log.ts'
import { wholeNumber } from '../arguments.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { keepHeapSmall } from '../heap.ts'
import { packageVersion, pageFolder } from '../package-root.ts'

/** Serves the warehouse over HTTP until it is told to end. */
export const serveCommand = defineCommand({
  summary: 'Serves the warehouse over HTTP, with a web page',
  usage: 'skep serve [--host ADDRESS] [--port N] [--log-level debug|info|warn|error|silent]',
  description:
    'On the loopback address anybody of this machine is an admin, unless SKEP_TOKEN or SKEP_TOKENS_FILE name tokens; elsewhere one of them is needed. Ctrl-C ends it: running queries get their time, new ones are refused.',
  arguments: [],
  flags: {
    host: { value: 'ADDRESS', help: 'Address to listen on; `127.0.0.1` when absent.' },
    port: { value: 'N', help: 'Port to listen on, 0 for a free one; 4213 when absent.' },
    'log-level': {
      value: 'LEVEL',
      choices: SETTINGS.logLevel.choices,
      help: 'What is logged to the standard error; `SKEP_LOG_LEVEL`, else `info`, when absent.',
    },
  },
  examples: [
    { line: 'skep serve', does: 'http://127.0.0.1:4213' },
    { line: 'SKEP_TOKEN=secret skep serve --host 0.0.0.0', does: 'for other machines' },
  ],
  run: async ({ flags, ...context }) => {
    const { host, port, 'log-level': level } = flags
    await serveWarehouse(context, { host, port, level: level as LogLevel | undefined })
  },
})

/** Where a warehouse is served, and what of it is logged, as the flags have it. */
interface Serving {
  host?: string | undefined
  port: string | undefined
  level: LogLevel | undefined
}

/** Serves the warehouse of a command until the command is told to end. @throws ARGUMENT_INVALID */
export async function serveWarehouse(
  { openFolder, json, signal, document, confirm, terminal }: Omit<CommandContext, 'flags'>,
  { host, port, level }: Serving,
): Promise<void> {
  const number = port === undefined ? undefined : wholeNumber('port', port, 0)
  const [{ Server }, { openLog }, { openTraces }] = await Promise.all([
    import('../../server/server.ts'),
    import('../../server/log.ts'),
    import('../../server/traces.ts'),
  ])
  const warehouse = await openFolder()
  const version = packageVersion()
  const log = openLog(level ?? (warehouse.settings.logLevel as LogLevel), terminal.stderr)
  await using server = await Server.start(warehouse, {
    ...(host === undefined ? {} : { host }),
    ...(number === undefined ? {} : { port: number }),
    token: readToken(terminal.env),
    version,
    page: pageFolder(),
    log,
    traces: await openTraces(terminal.env, { log, version }),
  })
  keepHeapSmall()
  if (json) await document({ url: server.url, warehouse: warehouse.root })
  else await confirm(`${warehouse.root} is served at ${server.url}; Ctrl-C ends it`)
  if (!signal.aborted) await once(signal, 'abort')
}
