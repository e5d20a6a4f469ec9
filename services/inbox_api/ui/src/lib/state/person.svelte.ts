/** One customer with the timeline over all channels, now or as of a past moment. The past does not change. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Change, Customer } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { orderOf, type Moment } from '../moment'
import { isSame, NO_FILTER, type TimelineFilter } from '../timeline_filter'
import { Feed } from './feed.svelte'
import { steps } from './steps.svelte'

export class Person {
  customer = $state.raw<Customer | null>(null)
  problem = $state.raw<Problem | null>(null)
  filter = $state.raw<TimelineFilter>(NO_FILTER)
  feed: Feed
  readonly #fetches = new Coalescer()

  constructor(
    readonly id: string,
    readonly moment: Moment | null,
    filter = NO_FILTER,
  ) {
    this.filter = filter
    this.feed = $state.raw(this.#feedOf(filter))
  }

  /** Shows only what fits a filter. */
  async show(filter: TimelineFilter): Promise<void> {
    if (isSame(filter, this.filter)) return
    this.filter = filter
    this.feed = this.#feedOf(filter)
    return this.feed.refresh()
  }

  /** Whether this is the customer, or whoever stands for them. */
  is(customer: string): boolean {
    return this.id === customer || this.customer?.id === customer
  }

  async refresh(): Promise<void> {
    await Promise.all([this.feed.refresh(), this.#refreshCustomer(), this.moment === null ? steps.show(this.id) : undefined])
  }

  async changed(change: Change): Promise<void> {
    if (this.moment !== null) return
    if (/^(CustomersMerged|CustomerUnmerged|Member)/.test(change.type)) await this.feed.startAnew()
    this.feed.mark(change.message_id)
    await Promise.all([this.feed.refresh(), touchesCustomer(change) ? this.#refreshCustomer() : undefined])
  }

  #feedOf(filter: TimelineFilter): Feed {
    return new Feed((cursor) => api.timeline(this.id, filter, this.moment, { cursor, limit: 40 }), orderOf(this.moment))
  }

  #refreshCustomer(): Promise<void> {
    return this.#fetches.request('customer', async () => {
      try {
        this.customer = await api.customer(this.id, this.moment)
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
