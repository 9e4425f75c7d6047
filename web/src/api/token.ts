/** The token of this browser session, and the question for it. */
import { signal } from '@preact/signals'
import { stored } from '../stored.ts'

/** The token; empty where none was needed so far. */
export const token = stored('token', '', () => sessionStorage)

/** Whether a call waits for a token, and why the last one did not do. */
export const tokenAsked = signal<{ reason: string } | undefined>(undefined)

let waiting: PromiseWithResolvers<void> | undefined

/** Waits until somebody has given a token. */
export function askForToken(reason: string): Promise<void> {
  tokenAsked.value = { reason }
  waiting ??= Promise.withResolvers<void>()
  return waiting.promise
}

/** Lets the calls that wait go on with this token. */
export function giveToken(text: string): void {
  token.value = text
  tokenAsked.value = undefined
  waiting?.resolve()
  waiting = undefined
}

/** The headers of a call. */
export function authorization(): Record<string, string> {
  return token.value ? { authorization: `Bearer ${token.value}` } : {}
}
