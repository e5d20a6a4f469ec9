/** Calls that ring now: shown with the customer over whatever the operator does. */
import { api } from '../api/client'
import type { CallState, Change, Conversation, Entry } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { NO_FILTER } from '../timeline_filter'

export interface CallCard {
  message: Entry
  conversation: Conversation
  /** What was said before, over all channels, the newest first. */
  before: Entry[]
}

/** An older ringing call is history that a resumed stream repeats. */
const FRESH_MILLISECONDS = 120_000
const LAST_ENTRIES = 20
const LAST_MESSAGES = 3
const LINGER_MILLISECONDS: Record<CallState, number> = { ringing: FRESH_MILLISECONDS, answered: 5_000, finished: 3_000, missed: 20_000, failed: 10_000 }

class Calls {
  cards = $state.raw<CallCard[]>([])
  readonly #fetches = new Coalescer()
  readonly #timers = new Map<string, number>()

  async changed(change: Change): Promise<void> {
    const { conversation_id, customer_id, message_id } = change
    if (change.kind !== 'call' || conversation_id === null || customer_id === null || message_id === null) return
    await this.#fetches.request(message_id, async () => {
      const asked = [api.conversation(conversation_id), api.timeline(customer_id, NO_FILTER, null, { limit: LAST_ENTRIES })] as const
      const [conversation, page] = await Promise.all(asked) // both at once: the telephone is ringing
      const message = page.items.find((item) => item.id === message_id)
      if (message?.call) this.#show({ conversation, message, before: saidBefore(page.items, message_id) }, message.call.state)
    })
  }

  dismiss(id: string): void {
    clearTimeout(this.#timers.get(id))
    this.cards = this.cards.filter((card) => card.message.id !== id)
  }

  #show(card: CallCard, state: CallState): void {
    const id = card.message.id
    const shown = this.cards.some((each) => each.message.id === id)
    const fresh = Date.now() - Date.parse(card.message.recorded_at) < FRESH_MILLISECONDS
    if (!shown && !(state === 'ringing' && fresh)) return
    this.cards = shown ? this.cards.map((each) => (each.message.id === id ? card : each)) : [...this.cards, card]
    clearTimeout(this.#timers.get(id))
    this.#timers.set(id, setTimeout(() => this.dismiss(id), LINGER_MILLISECONDS[state]))
  }
}

/** Messages, forms, calls and notes of a timeline that is newest first, without the call itself. */
export function saidBefore(entries: readonly Entry[], call: string): Entry[] {
  const said = entries.filter(({ id, kind }) => id !== call && ['text', 'form', 'call', 'note'].includes(kind))
  return said.slice(0, LAST_MESSAGES)
}

export const calls = new Calls()
