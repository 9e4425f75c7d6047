/** `skep serve`. */
import { once } from 'node:events'
import { readToken } from '../../config.ts'
import { wholeNumber } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { packageVersion } from '../package-root.ts'

/** Serves the warehouse over HTTP until it is told to end. */
export const serveCommand = defineCommand({
  summary: 'Serves the warehouse over HTTP, with a web page',
  usage: 'skep serve [--host ADDRESS] [--port N]',
  description:
    'On the loopback address anybody of this machine is an admin, unless SKEP_TOKEN or SKEP_TOKENS_FILE name tokens; elsewhere one of them is needed. Ctrl-C ends it: running queries get their time, new ones are refused.',
  arguments: [],
  flags: {
    host: { value: 'ADDRESS', help: 'Address to listen on; `127.0.0.1` when absent.' },
    port: { value: 'N', help: 'Port to listen on, 0 for a free one; 4213 when absent.' },
  },
  examples: [
    { line: 'skep serve', does: 'http://127.0.0.1:4213' },
    { line: 'SKEP_TOKEN=secret skep serve --host 0.0.0.0', does: 'for other machines' },
  ],
  run: async ({ flags, openFolder, json, signal, document, confirm, note, terminal }) => {
    const port = flags.port === undefined ? undefined : wholeNumber('port', flags.port, 0)
    const { Server } = await import('../../server/server.ts')
    const warehouse = await openFolder()
    await using server = await Server.start(warehouse, {
      ...(flags.host === undefined ? {} : { host: flags.host }),
      ...(port === undefined ? {} : { port }),
      token: readToken(terminal.env),
      version: packageVersion(),
    })
    if (json) await document({ url: server.url, warehouse: warehouse.root })
    else await confirm(`${warehouse.root} is served at ${server.url}; Ctrl-C ends it`)
    if (!signal.aborted) await once(signal, 'abort')
    note('ending: running queries get their time')
  },
})
