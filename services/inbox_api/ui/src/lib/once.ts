/** What is pressed again while it is still under way is done once: it has the answer of the first. What is asked for
 *  something else is not the same, and is done beside it. */
export function once<A extends string[], R>(act: (...asked: A) => Promise<R>): (...asked: A) => Promise<R> {
  const running = new Map<string, Promise<R>>()
  return (...asked) => {
    const what = JSON.stringify(asked)
    const same = running.get(what) ?? act(...asked).finally(() => running.delete(what))
    running.set(what, same)
    return same
  }
}
