/** Callers that do not read: what they asked for must not wait for them for ever. */
import type { FastifyReply } from 'fastify'
import { SETTINGS } from '../config.ts'

/** Cuts the connection of an answer of which nothing leaves for so long, or soon after its query was cancelled. Ends with the answer. */
export function watchReader({ raw }: Pick<FastifyReply, 'raw'>, signal: AbortSignal, stallMs: number): void {
  let left = 0
  let hasMoved = false
  let soon: NodeJS.Timeout | undefined
  const timer = setInterval(() => {
    const isStuck = raw.writableLength > 0 && raw.writableLength === left && !hasMoved
    left = raw.writableLength
    hasMoved = false
    if (isStuck) raw.destroy()
  }, stallMs)
  const hurry = () => {
    soon = setTimeout(() => raw.writableNeedDrain && raw.destroy(), SETTINGS.interruptGraceMs.default)
  }
  raw.on('drain', () => {
    hasMoved = true
  })
  raw.once('close', () => {
    clearInterval(timer)
    clearTimeout(soon)
    signal.removeEventListener('abort', hurry)
  })
  signal.addEventListener('abort', hurry, { once: true })
}
