/** What `fetch` answers to a reader of Iceberg that reads over it, though the files are here. */
import { readFileSync } from 'node:fs'

/** All of the bytes, or the range that the request asks for. */
export function rangeOf(bytes: Buffer<ArrayBuffer>, init?: RequestInit): Response {
  const range = /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get('Range') ?? '')
  if (!range) return new Response(bytes)
  const end = range[2] ? Number(range[2]) + 1 : bytes.length
  return new Response(bytes.subarray(Number(range[1]), end), { status: 206 })
}

/** Stands for `fetch` where locations are absolute paths. */
export async function fetchFromDisk(path: string, init?: RequestInit): Promise<Response> {
  return rangeOf(readFileSync(path), init)
}
