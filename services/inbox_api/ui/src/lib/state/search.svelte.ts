/** What is being searched for: each keystroke asks again, and only the answer to the last question counts. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Hit } from '../api/search'

const PAUSE_MILLISECONDS = 150

class Search {
  text = $state('')
  hits = $state.raw<Hit[]>([])
  next = $state.raw<string | null>(null)
  behind = $state.raw(0)
  problem = $state.raw<Problem | null>(null)
  /** The question that `hits` answer. */
  answered = $state.raw('')
  #timer: ReturnType<typeof setTimeout> | undefined
  #question = 0

  type(text: string): void {
    this.text = text
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.ask(), PAUSE_MILLISECONDS)
  }

  /** Asks from the beginning, or for what follows. */
  async ask(more = false): Promise<void> {
    const question = ++this.#question
    const text = this.text
    try {
      const found = text.trim() === '' ? { items: [], next: null, behind: 0 } : await api.search(text, more ? this.next : null)
      if (question !== this.#question) return
      this.hits = more ? [...this.hits, ...found.items] : found.items
      this.next = found.next
      this.behind = found.behind
      this.answered = text
      this.problem = null
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      if (question === this.#question) this.problem = cause
    }
  }
}

export const search = new Search()
