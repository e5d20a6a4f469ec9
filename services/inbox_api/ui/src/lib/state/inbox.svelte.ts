/** The list of conversations under one status tab. Changes come in by id; rows are fetched, merged and kept in order. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Conversation, StatusFilter } from '../api/types'
import { catchUp, readDown } from '../live/catch_up'
import { Coalescer } from '../live/coalesce'
import type { Moment } from '../moment'
import { mergeRows, withinLoaded } from './order'

/** From this many changed rows on, one page of the list is cheaper than a fetch for each. */
const SINGLE_FETCHES = 3
/** A page of a list that is read anew, after the first. */
const PAGE_ROWS = 200

class Inbox {
  filter = $state<StatusFilter>('open')
  /** The moment whose list is shown; null: the present. */
  moment: Moment | null = null
  rows = $state.raw<Conversation[]>([])
  next = $state<string | null>(null)
  loaded = $state(false)
  loadingMore = $state(false)
  problem = $state.raw<Problem | null>(null)

  /** Down to where the operator looks, as a position of the log; above everything: at the beginning. */
  lowest = Infinity

  readonly #fetches = new Coalescer()
  #dirty = new Set<string>()
  #heard: (conversation: Conversation) => void = () => {}

  /** `listener` gets every conversation that is fetched here. */
  whenFetched(listener: (conversation: Conversation) => void): void {
    this.#heard = listener
  }

  show(filter: StatusFilter): void {
    if (filter === this.filter && this.loaded) return
    this.#showAnew(filter, this.moment)
  }

  /** Shows the list of a moment under the same tab. */
  showAt(moment: Moment | null): void {
    if (moment?.at === this.moment?.at && moment?.by === this.moment?.by) return
    this.#showAnew(this.filter, moment)
  }

  #showAnew(filter: StatusFilter, moment: Moment | null): void {
    this.filter = filter
    this.moment = moment
    this.rows = []
    this.next = null
    this.lowest = Infinity
    this.loaded = false
    void this.refresh()
  }

  find(id: string): Conversation | undefined {
    return this.rows.find((row) => row.id === id)
  }

  /** Reads the newest part of the list until it joins what is loaded. */
  refresh(): Promise<void> {
    return this.#fetches.request('head', () => this.#guarded(() => this.#readHead()))
  }

  /** Reads the list anew, down to where the operator looks: after a pause in the stream, what left this tab is known only
   *  by its absence. What is below is loaded again when it comes into sight. */
  reload(): Promise<void> {
    return this.#fetches.request('head', () => this.#guarded(() => this.#readAnew()))
  }

  async loadMore(): Promise<void> {
    if (this.next === null || this.loadingMore) return
    this.loadingMore = true
    const { filter, moment } = this
    await this.#guarded(async () => {
      const page = await api.conversations(filter, { cursor: this.next }, moment)
      if (filter !== this.filter || moment !== this.moment) return
      this.#add(page.items)
      this.next = page.next
    })
    this.loadingMore = false
  }

  /** Conversations that have changed: their rows are fetched, all of one burst together. */
  changed(ids: Iterable<string>): Promise<void> {
    for (const id of ids) this.#dirty.add(id)
    return this.#fetches.request('rows', () => this.#guarded(() => this.#readChanged()))
  }

  /** A conversation as an action's answer gave it. */
  put(conversation: Conversation): void {
    this.#receive([conversation])
  }

  async #readChanged(): Promise<void> {
    const dirty = [...this.#dirty]
    this.#dirty = new Set()
    if (dirty.length > SINGLE_FETCHES && this.moment === null) {
      const seen = new Set((await this.#readHead()).map((row) => row.id))
      const gone = dirty.filter((id) => !seen.has(id) && this.find(id))
      this.#receive(await Promise.all(gone.map((id) => api.conversation(id))))
    } else {
      this.#receive(await Promise.all(dirty.map((id) => api.conversation(id))))
    }
  }

  async #readHead(): Promise<Conversation[]> {
    const { filter, moment } = this
    const known = new Map(this.rows.map((row) => [row.id, row.position]))
    const got = await catchUp(
      (cursor) => api.conversations(filter, { cursor }, moment),
      (row) => !this.loaded || known.get(row.id) === row.position,
    )
    if (filter !== this.filter || moment !== this.moment) return got.items
    if (this.loaded && !got.joined) return this.#readAnew()
    if (!this.loaded) {
      this.rows = []
      this.next = got.next
    } else if (got.next === null) {
      this.next = null
    }
    this.loaded = true
    this.#add(got.items)
    if (moment === null) got.items.forEach(this.#heard)
    return got.items
  }

  async #readAnew(): Promise<Conversation[]> {
    const { filter, moment, lowest } = this
    const fetchPage = (cursor: string | null) => api.conversations(filter, cursor === null ? {} : { cursor, limit: PAGE_ROWS }, moment)
    const { items, next } = await readDown(fetchPage, (row) => row.position < lowest)
    if (filter !== this.filter || moment !== this.moment) return items
    this.rows = mergeRows([], items, filter)
    this.next = next
    this.loaded = true
    if (moment === null) items.forEach(this.#heard)
    return items
  }

  /** What has changed now changes no list of the past. */
  #receive(got: Conversation[]): void {
    const fits = (row: Conversation) => this.find(row.id) || withinLoaded(row, this.rows, this.next !== null)
    if (this.moment === null) this.#add(got.filter(fits))
    got.forEach(this.#heard)
  }

  #add(rows: Conversation[]): void {
    this.rows = mergeRows(this.rows, rows, this.filter)
  }

  async #guarded(read: () => Promise<void | Conversation[]>): Promise<void> {
    try {
      await read()
      this.problem = null
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      this.problem = cause
    }
  }
}

export const inbox = new Inbox()
