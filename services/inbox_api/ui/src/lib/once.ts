/** What is pressed again while it is still under way is done once: it has the answer of the first. */
export function once<A extends unknown[], R>(act: (...asked: A) => Promise<R>): (...asked: A) => Promise<R> {
  let running: Promise<R> | null = null
  return (...asked) =>
    (running ??= act(...asked).finally(() => {
      running = null
    }))
}
