/** How errors look to clients of Funnel Rocket. */
import type { SkepError } from '../../errors.ts'

/** True for a URL below `/datasets`. */
export function isFunnelRocket(url: string): boolean {
  return /^\/datasets(?:[/?#]|$)/.test(url)
}

/** The body of an error: their fields, and all that is known of it. */
export function failureOf(error: SkepError): { success: false; errorMessage: string; error: SkepError } {
  return { success: false, errorMessage: error.message, error }
}
