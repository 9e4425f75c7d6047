/** The web page: files that were built, as they are, compressed for whoever takes that. They hold no data. */
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SkepError } from '../errors.ts'

/** The paths of the page, for which the methods are GET and HEAD. */
export const PAGE_PATHS = ['/', '/assets/:file'] as const

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Encodings that files may have beside them, best first, and what their names end with. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

const NOT_BUILT = `The web page has not been built. In a clone of Skep, run

  npm run build:web

and load this page again. The API is at /api/v1; /api/v1/openapi.json describes it.
`

/** Adds the page in `folder` to a server. */
export function addPage(app: FastifyInstance, folder: string | undefined): void {
  const options = { config: { role: 'open' as const }, schema: { hide: true } }
  app.get('/', options, async (_request, reply) => {
    if (await sendFile(reply, folder, 'index.html', 'no-cache')) return reply
    return await reply.code(200).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(NOT_BUILT)
  })
  app.get('/assets/:file', options, async (request: FastifyRequest<{ Params: { file: string } }>, reply) => {
    const { file } = request.params
    // Names of built files; nothing that could lead out of the folder.
    const found = /^[\w-][\w.-]*\.[a-z]+$/.test(file)
    if (found && (await sendFile(reply, folder, `assets/${file}`, 'public, max-age=31536000, immutable'))) return reply
    throw new SkepError('ROUTE_NOT_FOUND', `there is no ${request.url.split('?')[0]}; load the page again`, {})
  })
}

/** Sends a file, compressed where that is accepted and was made; false when there is none. */
async function sendFile(
  reply: FastifyReply,
  folder: string | undefined,
  name: string,
  cacheControl: string,
): Promise<boolean> {
  const type = CONTENT_TYPES[extname(name)]
  if (folder === undefined || type === undefined) return false
  const accepted = reply.request.encodings()
  for (const [encoding, ending] of [...ENCODINGS, ['identity', ''] as const]) {
    if (ending !== '' && !accepted.includes(encoding)) continue
    const bytes = await readIfThere(join(folder, `${name}${ending}`))
    if (bytes === undefined) continue
    if (ending !== '') reply.header('content-encoding', encoding)
    await reply.type(type).header('cache-control', cacheControl).header('vary', 'accept-encoding').send(bytes)
    return true
  }
  return false
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
