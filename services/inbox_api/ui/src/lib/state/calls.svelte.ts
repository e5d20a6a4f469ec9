/** Calls that ring now: shown with the customer over whatever the operator does. */
import { api } from '../api/client'
import type { CallState, Change, Conversation, Entry } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { NO_FILTER } from '../timeline_filter'
import { LATER_MILLISECONDS, responsible, whenToShow } from '../who_sees'
import { session } from './session.svelte'
import { telephone } from './telephone.svelte'

export interface CallCard {
  message: Entry
  conversation: Conversation
  /** What was said before, over all channels, the newest first. */
  before: Entry[]
  /** Who looks after this customer; null: nobody in particular. */
  responsible: Conversation['assignee']
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
      const timeline = api.timeline(customer_id, NO_FILTER, null, { limit: LAST_ENTRIES })
      const asked = [timeline, api.conversationsOf(customer_id), telephone.load().catch(() => '')] as const
      const [page, conversations, number] = await Promise.all(asked) // all at once: the telephone is ringing
      const conversation = conversations.items.find(({ id }) => id === conversation_id) ?? (await api.conversation(conversation_id))
      const message = page.items.find((item) => item.id === message_id)
      const who = responsible(conversation, conversations.items)
      if (message?.call) this.#consider({ conversation, message, before: saidBefore(page.items, message_id), responsible: who }, number, change)
    })
  }

  /** A call for somebody else is shown when it has rung on for a while. */
  #consider(card: CallCard, number: string, change: Change): void {
    const { call, id, recorded_at } = card.message
    if (call === null || session.operator === null) return
    const when = whenToShow(call, card.responsible, session.operator, number)
    const age = Date.now() - Date.parse(recorded_at)
    if (when === 'now' || (when === 'later' && age >= LATER_MILLISECONDS) || this.cards.some(({ message }) => message.id === id)) this.#show(card, call.state)
    else if (when === 'later' && call.state === 'ringing') {
      clearTimeout(this.#timers.get(id))
      this.#timers.set(id, setTimeout(() => void this.changed(change), LATER_MILLISECONDS - age))
    }
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
