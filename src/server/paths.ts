/** Which folders requests may name. */
import { realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { SETTINGS } from '../config.ts'
import { readLocation } from '../coordinator/attach.ts'
import { SkepError } from '../errors.ts'
import { type BuzzDocument, parseDocument, readDocument } from '../planner/buzz.ts'
import { listOf } from './access.ts'
import type { Call } from './context.ts'

type PathCall = Pick<Call, 'context' | 'caller'>

/**
 * Passes for a path that the caller may name. Where `SKEP_ROOTS` lists folders, it lies in one of them; else readers stay inside the
 * warehouse. Links are followed first.
 *
 * @throws PATH_FORBIDDEN
 */
export async function requireInside({ context, caller }: PathCall, path: string): Promise<void> {
  const listed = listOf(context.settings.roots)
  if (listed.length === 0 && caller.role !== 'reader') return
  const roots = listed.length > 0 ? listed : [context.warehouse.root]
  const real = await realPath(path)
  const realRoots = await Promise.all(roots.map(realPath))
  if (realRoots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : `${root}${sep}`))) return
  const message = `${path} lies outside of the folders that requests of a ${caller.role} may name (SKEP_ROOTS)`
  throw new SkepError('PATH_FORBIDDEN', message, { path })
}

/** The same for a table that others write, by the path that its `uri` is opened as. @throws PATH_FORBIDDEN, ARGUMENT_INVALID */
export async function requireTableInside(call: PathCall, uri: string): Promise<void> {
  await requireInside(call, readLocation(uri))
}

/** The same for all catalogs of a document, which comes back. @throws PATH_FORBIDDEN, ARGUMENT_INVALID, DOCUMENT_INVALID, and what `parseDocument` does */
export async function requireDocumentInside(call: PathCall, text: string): Promise<BuzzDocument> {
  const document = readDocument(parseDocument(text, call.context.settings), SETTINGS.partsMax.default)
  for (const { uri } of document.catalogs ?? []) await requireTableInside(call, uri)
  return document
}

/** The path without links. Of what does not exist, as far as it does. */
async function realPath(path: string): Promise<string> {
  const whole = resolve(path)
  try {
    return await realpath(whole)
  } catch {
    const parent = dirname(whole)
    return parent === whole ? whole : join(await realPath(parent), whole.slice(parent.length))
  }
}
