/** When two names of columns are the same one. */

/** The name with ASCII letters in lower case: equal for names that the engine holds to be equal. */
export function foldName(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** True for names that differ at most in the case of ASCII letters. */
export function sameName(a: string, b: string): boolean {
  return a === b || foldName(a) === foldName(b)
}
