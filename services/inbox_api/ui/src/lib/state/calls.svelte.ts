/** Calls that ring now: shown with the customer over whatever the operator does. */
import { api } from '../api/client'
import type { CallState, Change, Conversation, Entry } from '../api/types'
import { Coalescer } from '../live/coalesce'

export interface CallCard {
  message: Entry
  conversation: Conversation
}

/** An older ringing call is history that a resumed stream repeats. */
const FRESH_MILLISECONDS = 120_000
const LINGER_MILLISECONDS: Record<CallState, number> = { ringing: FRESH_MILLISECONDS, answered: 5_000, finished: 3_000, missed: 20_000, failed: 10_000 }

class Calls {
  cards = $state.raw<CallCard[]>([])
  readonly #fetches = new Coalescer()
  readonly #timers = new Map<string, number>()

  async changed(change: Change): Promise<void> {
    const { conversation_id, message_id } = change
    if (change.kind !== 'call' || conversation_id === null || message_id === null) return
    await this.#fetches.request(message_id, async () => {
      const [conversation, page] = await Promise.all([api.conversation(conversation_id), api.messages(conversation_id, { limit: 10 })])
      const message = page.items.find((item) => item.id === message_id)
      if (message?.call) this.#show({ conversation, message }, message.call.state)
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

export const calls = new Calls()
