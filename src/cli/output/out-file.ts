/** `--out FILE`: written beside its place and moved there at the end, so that a failure leaves nothing behind. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { access, constants, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SETTINGS } from '../../config.ts'
import { invalid } from '../arguments.ts'
import { fileError, type Sink } from './sink.ts'

/** What `write` returns, once all that it wrote stands in the file. Devices and pipes are written as they are. @throws ARGUMENT_INVALID, DISK_FULL */
export async function writeOutFile<T>(path: string, write: (sink: Sink) => Promise<T>): Promise<T> {
  return await replaceFile(path, { devices: true }, async (place) => {
    const file = await open(place, 'w')
    try {
      const sink = fileSink(file)
      const result = await write(sink)
      await sink.flush()
      if ((await file.stat()).isFile()) await file.sync()
      return result
    } finally {
      await file.close()
    }
  })
}

/** What `make` returns, once the file that it made at the place that it was given stands at `path`. @throws ARGUMENT_INVALID, DISK_FULL */
export async function replaceFile<T>(
  path: string,
  options: { devices: boolean },
  make: (place: string) => Promise<T>,
): Promise<T> {
  try {
    const target = await targetOf(path)
    if (target.device) {
      if (!options.devices) throw invalid('out', `--out ${path}: is no regular file`)
      return await make(target.path)
    }
    return await makeBeside(target.path, make)
  } catch (error) {
    throw fileError(error, `--out ${path}`)
  }
}

async function targetOf(path: string): Promise<{ path: string; device: boolean }> {
  if (path === '') throw invalid('out', '--out needs the name of a file')
  const info = await stat(path).catch(unlessMissing)
  if (info === undefined) return { path, device: false }
  if (info.isDirectory()) throw invalid('out', `--out ${path}: is a folder`)
  return info.isFile() ? { path: await realpath(path), device: false } : { path, device: true }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function makeBeside<T>(path: string, make: (place: string) => Promise<T>): Promise<T> {
  await access(dirname(path), constants.W_OK)
  const place = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`)
  const removeAtExit = () => rmSync(place, { force: true })
  process.once('exit', removeAtExit)
  try {
    const result = await make(place)
    await rename(place, path)
    return result
  } catch (error) {
    await rm(place, { force: true })
    throw error
  } finally {
    process.removeListener('exit', removeAtExit)
  }
}

/** Gathers small writes into large ones. */
function fileSink(file: FileHandle): Sink & { flush(): Promise<void> } {
  let pending: string[] = []
  let chars = 0
  const flush = async () => {
    const text = pending.join('')
    pending = []
    chars = 0
    if (text !== '') await file.appendFile(text)
  }
  return {
    write: async (text) => {
      pending.push(text)
      chars += text.length
      if (chars >= SETTINGS.outputCharacters.default) await flush()
    },
    flush,
  }
}
