/** HTTP by hand: requests as they should not be, over connections that are used again, and answers cut from bytes. */
import type { Socket } from 'node:net'
import type { FuzzCase } from './fuzz-cases.ts'
import { type Answer, connected } from './lab.ts'

/** A connection that sends one request after another. */
export class Wire {
  readonly #port: number
  #socket: Socket | undefined

  constructor(port: number) {
    this.#port = port
  }

  /** The answer to a request; fails when none has come within `ms`. A connection that was closed without an answer gives status 0. */
  async ask({ method, target, headers, body }: FuzzCase, ms: number): Promise<Answer> {
    const lines = Object.entries({
      host: 'localhost',
      ...headers,
      ...(body && { 'content-length': String(body.length) }),
    })
    const head = `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
    this.#socket ??= await connected(this.#port)
    const socket = this.#socket
    const answer = await received(socket, Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]), method, ms)
    if (answer.status === 0 || answer.headers.get('connection') !== 'keep-alive') this.close()
    return answer
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }
}

/** What comes back for bytes on a socket: one answer, or nothing before it is closed. */
async function received(socket: Socket, bytes: Buffer, method: string, ms: number): Promise<Answer> {
  let text = Buffer.alloc(0)
  return await new Promise((resolve, reject) => {
    const end = (done: () => void) => {
      clearTimeout(timer)
      socket.off('data', take).off('close', closed).off('error', closed)
      done()
    }
    const take = (piece: Buffer) => {
      text = Buffer.concat([text, piece])
      const found = cutAnswer(text, method === 'HEAD', false)
      if (found) end(() => resolve(found.answer))
    }
    const closed = () => end(() => resolve(cutAnswer(text, method === 'HEAD', true)?.answer ?? nothing()))
    const timer = setTimeout(
      () => end(() => reject(new Error(`no answer within ${ms} ms; so far: ${text.subarray(0, 500)}`))),
      ms,
    )
    socket.on('data', take).once('close', closed).once('error', closed)
    socket.write(bytes)
  })
}

function nothing(): Answer {
  return { status: 0, headers: new Headers(), text: '' }
}

/** All answers that bytes consist of, and what is left over that is none. */
export function cutAnswers(bytes: Buffer): { answers: Answer[]; rest: string } {
  const answers: Answer[] = []
  let left = bytes
  for (;;) {
    const found = cutAnswer(left, false, true)
    if (!found) return { answers, rest: left.toString('latin1') }
    answers.push(found.answer)
    left = found.rest
  }
}

/** The first answer in bytes; undefined while it is not complete. */
function cutAnswer(bytes: Buffer, isHead: boolean, isClosed: boolean): { answer: Answer; rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? Number.NaN)
  if (Number.isNaN(status)) return undefined
  const after = bytes.subarray(end + 4)
  if (status < 200) return cutAnswer(after, isHead, isClosed)
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = isHead || status === 204 || status === 304 ? { text: '', rest: after } : bodyOf(after, headers, isClosed)
  return body && { answer: { status, headers, text: body.text }, rest: body.rest }
}

function bodyOf(bytes: Buffer, headers: Headers, isClosed: boolean): { text: string; rest: Buffer } | undefined {
  if (headers.get('transfer-encoding') === 'chunked') return chunksOf(bytes)
  const length = headers.get('content-length')
  if (length === null) return isClosed ? { text: bytes.toString(), rest: Buffer.alloc(0) } : undefined
  if (bytes.length < Number(length)) return undefined
  return { text: bytes.subarray(0, Number(length)).toString(), rest: bytes.subarray(Number(length)) }
}

function chunksOf(bytes: Buffer): { text: string; rest: Buffer } | undefined {
  const pieces: Buffer[] = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const length = Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16)
    if (bytes.length < end + 2 + length + 2) return undefined
    pieces.push(bytes.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
    if (length === 0) return { text: Buffer.concat(pieces).toString(), rest: bytes.subarray(at) }
  }
}
