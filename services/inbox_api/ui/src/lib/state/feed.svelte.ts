/** The loaded end of a long list of entries (a conversation's messages, a customer's timeline), oldest first. */
import { Problem } from '../api/problem'
import type { Entry, Page } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { catchUp } from '../live/catch_up'
import { inLogOrder, newerEntry } from './order'

export class Feed {
  items = $state.raw<Entry[]>([])
  older = $state<string | null>(null)
  loaded = $state(false)
  loadingOlder = $state(false)
  problem = $state.raw<Problem | null>(null)

  readonly #fetches = new Coalescer()
  #changed = new Set<string>()
  #anew = false

  /** `fetchPage` reads newest first, in the reverse of `order`. */
  constructor(
    private readonly fetchPage: (cursor: string | null) => Promise<Page<Entry>>,
    private readonly order = inLogOrder,
  ) {}

  /** Remembers that an entry has changed, which may be one far back; the next refresh reads that far. */
  mark(id: string | null): void {
    if (id !== null) this.#changed.add(id)
  }

  /** Nothing is known of what happened meanwhile: deliveries and calls that are loaded may have moved on. */
  markAll(): void {
    this.items.filter((item) => item.delivery !== null || item.call !== null).forEach((item) => this.#changed.add(item.id))
  }

  /** Reads what is new; at most one such read is under way. */
  refresh(): Promise<void> {
    return this.#fetches.request('newest', () => this.#readNewest())
  }

  async loadOlder(): Promise<void> {
    if (this.older === null || this.loadingOlder) return
    this.loadingOlder = true
    try {
      const page = await this.fetchPage(this.older)
      this.#merge(page.items)
      this.older = page.next
      this.problem = null
    } catch (cause) {
      this.problem = problemOf(cause)
    } finally {
      this.loadingOlder = false
    }
  }

  put(entry: Entry): void {
    this.#merge([entry])
  }

  /** An entry that was moved elsewhere. */
  remove(id: string): void {
    this.items = this.items.filter((item) => item.id !== id)
    this.#changed.delete(id)
  }

  /** Entries have come and gone in the middle: the next read replaces what is shown until then, so that a message that
   *  stays keeps its place and the keys. */
  startAnew(): Promise<void> {
    this.#anew = true
    return this.refresh()
  }

  async #readNewest(): Promise<void> {
    const anew = this.#anew
    this.#anew = false
    const before = new Set(this.items.map((item) => item.id))
    const known = anew ? new Set<string>() : before
    const wanted = new Set([...this.#changed].filter((id) => known.has(id)))
    this.#changed = new Set()
    try {
      const got = await catchUp(this.fetchPage, (item) => anew || !this.loaded || known.has(item.id), wanted)
      if (anew || !this.loaded || !got.joined) this.older = got.next
      if (anew) this.items = this.items.filter((item) => !before.has(item.id))
      else if (!got.joined) this.items = []
      this.#merge(got.items)
      this.loaded = true
      this.problem = null
    } catch (cause) {
      this.#anew ||= anew
      wanted.forEach((id) => this.#changed.add(id))
      this.problem = problemOf(cause)
    }
  }

  #merge(entries: Entry[]): void {
    const byId = new Map(this.items.map((item) => [item.id, item]))
    for (const entry of entries) byId.set(entry.id, newerEntry(byId.get(entry.id), entry))
    this.items = [...byId.values()].sort(this.order)
  }
}

function problemOf(cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  throw cause
}
