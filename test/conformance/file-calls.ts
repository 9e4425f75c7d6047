/** What a call asks of the file system. */
import fsNow from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** Folders that were listed and files that were opened below a folder, outside of the warehouse that is in it. */
export interface FileCalls<T> {
  result: T
  listed: string[]
  opened: string[]
}

/** The outcome of a call, with its listings and openings. DuckDB's own are not among them. */
export async function countCalls<T>(dir: string, call: () => Promise<T>): Promise<FileCalls<T>> {
  const { readdir, open } = fs
  const { openSync } = fsNow
  const listed: string[] = []
  const opened: string[] = []
  Object.assign(fs, {
    readdir: (path: string, options: object) => {
      listed.push(String(path))
      return readdir(path, options)
    },
    open: (path: string, ...rest: [string, number?]) => {
      opened.push(String(path))
      return open(path, ...rest)
    },
  })
  Object.assign(fsNow, {
    openSync: (path: string, ...rest: [string, number?]) => {
      opened.push(String(path))
      return openSync(path, ...rest)
    },
  })
  syncBuiltinESMExports()
  try {
    const result = await call()
    const isOurs = (path: string) => path.startsWith(`${dir}/`) && !path.startsWith(`${dir}/warehouse`)
    return { result, listed: listed.filter(isOurs), opened: opened.filter(isOurs) }
  } finally {
    Object.assign(fs, { readdir, open })
    Object.assign(fsNow, { openSync })
    syncBuiltinESMExports()
  }
}
