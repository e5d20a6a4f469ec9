/** Who may be the customer on screen, and what an operator decides about it. */
import { mergingApi, type Suggestion } from '../api/merging'
import type { Customer } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { L } from '../i18n/index.svelte'
import { attempt, notices } from './notices.svelte'

export const CHANGES_WHO_IS_ONE = /^(CustomersMerged|CustomerUnmerged|MemberJoined|MemberLeft|Merge(Suggested|Refused))$/

class Merging {
  open = $state.raw<Suggestion[]>([])
  customer = $state<string | null>(null)
  readonly #fetches = new Coalescer()

  /** Reads the suggestions for a customer. */
  async show(customer: string): Promise<void> {
    if (this.customer !== customer) this.open = []
    this.customer = customer
    await this.#fetches.request(customer, async () => {
      const { items } = await mergingApi.suggestions(customer)
      if (this.customer === customer) this.open = items
    })
  }

  async changed(): Promise<void> {
    if (this.customer !== null) await this.show(this.customer)
  }

  accept(suggestion: Suggestion): Promise<boolean> {
    return this.#decide(suggestion, async () => {
      const shown = await mergingApi.accept(suggestion.id)
      const members = [suggestion.customer.id, suggestion.other.id].filter((id) => id !== shown.id)
      const undo = { label: L.t.merging.undo, run: () => void this.unmerge(shown.id, members[0] ?? shown.id) }
      notices.say(L.t.merging.accepted, undo)
    })
  }

  refuse(suggestion: Suggestion): Promise<boolean> {
    return this.#decide(suggestion, async () => {
      await mergingApi.refuse(suggestion.id)
      notices.say(L.t.merging.refused)
    })
  }

  merge(customer: Customer, into: string): Promise<boolean> {
    return attempt(async () => {
      const shown = await mergingApi.merge(customer.id, into)
      notices.say(L.t.merging.accepted, { label: L.t.merging.undo, run: () => void this.unmerge(shown.id, customer.id) })
    })
  }

  unmerge(group: string, customer: string): Promise<boolean> {
    return attempt(async () => {
      await mergingApi.unmerge(group, customer)
      notices.say(L.t.merging.unmerged)
    })
  }

  #decide(suggestion: Suggestion, act: () => Promise<void>): Promise<boolean> {
    return attempt(async () => {
      await act()
      this.open = this.open.filter((each) => each.id !== suggestion.id)
    })
  }
}

export const merging = new Merging()
