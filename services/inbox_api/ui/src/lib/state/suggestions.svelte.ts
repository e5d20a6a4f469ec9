/** Everybody who may be somebody else, as the page of suggestions shows them and the rail counts them. */
import { mergingApi, type Suggestion } from '../api/merging'
import { Problem } from '../api/problem'
import { Coalescer } from '../live/coalesce'

class Suggestions {
  list = $state.raw<Suggestion[]>([])
  next = $state<string | null>(null)
  loaded = $state(false)
  problem = $state.raw<Problem | null>(null)
  readonly #fetches = new Coalescer()

  /** Reads the newest ones; what was loaded further down is read again when it is asked for. */
  refresh(): Promise<void> {
    return this.#fetches.request('all', () => this.#read(null))
  }

  more(): Promise<void> {
    const from = this.next
    return from === null ? Promise.resolve() : this.#fetches.request('all', () => this.#read(from))
  }

  /** One that was decided: it is gone at once, whatever the stream says later. */
  drop(id: string): void {
    this.list = this.list.filter((each) => each.id !== id)
  }

  async #read(from: string | null): Promise<void> {
    try {
      const { items, next } = await mergingApi.all(from)
      const known = from === null ? [] : this.list
      this.list = [...known, ...items.filter(({ id }) => !known.some((each) => each.id === id))]
      this.next = next
      this.loaded = true
      this.problem = null
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      this.problem = cause
    }
  }
}

export const suggestions = new Suggestions()
