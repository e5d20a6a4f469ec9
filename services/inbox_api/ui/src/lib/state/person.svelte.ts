/** One customer with the timeline over all channels, now or as of a past moment. The past does not change. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Change, Customer } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { Feed } from './feed.svelte'
import { steps } from './steps.svelte'

export class Person {
  customer = $state.raw<Customer | null>(null)
  problem = $state.raw<Problem | null>(null)
  readonly feed: Feed
  readonly #fetches = new Coalescer()

  constructor(
    readonly id: string,
    readonly asOf: string | null,
  ) {
    this.feed = new Feed((cursor) => api.timeline(id, asOf, { cursor, limit: 40 }))
  }

  /** Whether this is the customer, or whoever stands for them. */
  is(customer: string): boolean {
    return this.id === customer || this.customer?.id === customer
  }

  async refresh(): Promise<void> {
    await Promise.all([this.feed.refresh(), this.#refreshCustomer(), this.asOf === null ? steps.show(this.id) : undefined])
  }

  async changed(change: Change): Promise<void> {
    if (this.asOf !== null) return
    if (/^(CustomersMerged|CustomerUnmerged|Member)/.test(change.type)) await this.feed.startAnew()
    this.feed.mark(change.message_id)
    await Promise.all([this.feed.refresh(), touchesCustomer(change) ? this.#refreshCustomer() : undefined])
  }

  #refreshCustomer(): Promise<void> {
    return this.#fetches.request('customer', async () => {
      try {
        this.customer = await api.customer(this.id)
        this.problem = null
      } catch (cause) {
        if (!(cause instanceof Problem)) throw cause
        this.problem = cause
      }
    })
  }
}

/** Name, addresses or the number of conversations can only change by these. */
function touchesCustomer(change: Change): boolean {
  return change.conversation_id === null || /Opened|Customer|Identity|Identities|Consent|Member/.test(change.type)
}
