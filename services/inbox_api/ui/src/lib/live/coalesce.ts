/** One fetch per resource in flight: a request during a fetch makes exactly one more fetch after it. */
export class Coalescer {
  readonly #running = new Map<string, Run>()

  /** Resolves when a run of `job` that began at or after this call has ended. */
  request(key: string, job: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key)
    if (!running) return this.#start(key, job)
    running.again ??= running.done.then(
      () => this.#start(key, job),
      () => this.#start(key, job),
    )
    return running.again
  }

  #start(key: string, job: () => Promise<void>): Promise<void> {
    const run: Run = { done: Promise.resolve(), again: null }
    this.#running.set(key, run)
    run.done = job().finally(() => {
      if (!run.again) this.#running.delete(key)
    })
    return run.done
  }
}

interface Run {
  done: Promise<void>
  again: Promise<void> | null
}
