/** How an engine is started, and how it is fenced in. */
import { quoteString } from '../common/data-type.ts'
import { namesIn } from '../common/text.ts'
import { SETTINGS, type Settings } from '../config.ts'
import type { Session } from './engine.ts'
import { SESSION_SETTINGS } from './setting-lists.ts'

/**
 * What an engine is made with. A fenced one runs its statements on its own threads and none of the process's, each task
 * for a short time in turn, so that no query keeps another waiting.
 */
export function startOptions(
  settings: Settings,
  spillPath: string,
  { fenced, share = 1 }: { fenced: boolean; share?: number | undefined },
): Record<string, string> {
  return {
    memory_limit: `${Math.floor((settings.memoryBytes * SETTINGS.engineShare.default * share) / 1024)}KiB`,
    temp_directory: spillPath,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(fenced ? fencedOptions(settings) : { threads: String(settings.threads) }),
  }
}

function fencedOptions({ threads }: Settings): Record<string, string> {
  return {
    threads: String(threads),
    // Else one of the threads would be counted as the process's own, which never works for the engine here.
    external_threads: '0',
    scheduler_process_partial: 'true',
    max_expression_depth: String(SETTINGS.expressionDepth.default),
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  }
}

/** Fences an engine in: it reads only below these folders, and its settings are locked. */
export async function closeFence(session: Session, roots: readonly string[]): Promise<void> {
  await session.run(`SET GLOBAL allowed_directories = [${roots.map(quoteString).join(', ')}]`)
  await session.run('SET GLOBAL enable_external_access = false')
  // Sessions switch on the counting of progress for themselves; nothing else stays open.
  const open = namesIn(SESSION_SETTINGS).map(quoteString)
  await session.run(`SET GLOBAL allowed_configs = [${open.join(', ')}]`)
  await session.run('SET GLOBAL lock_configuration = true')
}
