/** The files of a folder that a pattern names. */
import { SkepError, throwIfAborted } from '../../errors.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../../storage/object-store.ts'
import { compilePattern } from './pattern.ts'

/**
 * All files of the folder, at any depth, that the pattern names, in the order of their paths' bytes; none is an empty array.
 *
 * @throws FILE_LIMIT when there are more than `maxFiles`
 * @throws ARGUMENT_INVALID for a pattern that is none
 */
export async function listFiles(
  store: ObjectStore,
  pattern: string,
  { maxFiles, signal }: CallOptions & { maxFiles: number },
): Promise<ObjectInfo[]> {
  const { prefix, matches } = compilePattern(pattern)
  const files: ObjectInfo[] = []
  let after: string | undefined
  do {
    throwIfAborted(signal)
    const page = await store.list(prefix, { signal, ...(after === undefined ? {} : { after }) })
    files.push(...page.objects.filter((object) => matches(object.path)))
    if (files.length > maxFiles) throw tooManyFiles(store.root, maxFiles)
    after = page.next
  } while (after !== undefined)
  return files
}

function tooManyFiles(root: string, limit: number): SkepError<'FILE_LIMIT'> {
  const details = { setting: 'importFiles', limit }
  return new SkepError(
    'FILE_LIMIT',
    `${root} has more than ${limit} files; raise SKEP_IMPORT_FILES or narrow the pattern`,
    details,
  )
}
