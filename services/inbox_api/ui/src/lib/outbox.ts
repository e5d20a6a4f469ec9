/** Answers on their way: kept in the browser's storage until the server has confirmed them, so that none is lost.
 *  Each has its own key: two windows of one operator never overwrite each other's. */
import type { Extras } from './api/types'
import type { DraftKind } from './drafts'

export interface Pending {
  id: string
  conversation_id: string
  kind: DraftKind
  text: string
  /** Recipients, files and form of an answer that is more than words. */
  extras?: Extras
  created_at: string
}

export type OutboxShelf = Pick<Storage, 'setItem' | 'removeItem' | 'getItem' | 'key' | 'length'>

const PREFIX = 'okno.outbox.'

export class OutboxStore {
  constructor(private readonly shelf: OutboxShelf) {}

  put(pending: Pending): void {
    this.shelf.setItem(PREFIX + pending.id, JSON.stringify(pending))
  }

  confirm(id: string): void {
    this.shelf.removeItem(PREFIX + id)
  }

  has(id: string): boolean {
    return this.shelf.getItem(PREFIX + id) !== null
  }

  /** Oldest first. */
  of(conversation: string): Pending[] {
    return this.#all()
      .filter((each) => each.conversation_id === conversation)
      .sort((a, b) => a.created_at.localeCompare(b.created_at))
  }

  #all(): Pending[] {
    const keys = Array.from({ length: this.shelf.length }, (_, index) => this.shelf.key(index))
    return keys
      .filter((key): key is string => key?.startsWith(PREFIX) ?? false)
      .map((key) => JSON.parse(this.shelf.getItem(key) ?? 'null') as Pending)
  }
}
