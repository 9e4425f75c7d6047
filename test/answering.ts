/** Stores that answer one kind of call in another way, and all others as they are. */

/** The store with this method in place of its own. */
export function answering<S extends object, K extends keyof S>(store: S, method: K, answer: S[K]): S {
  return new Proxy(store, {
    get(target, property) {
      if (property === method) return answer
      const value = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
