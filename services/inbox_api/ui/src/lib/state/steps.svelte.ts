/** What is due: of everybody, and of the customer on screen. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { NewStep, Step, StepCounts } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { dueCount, endOfDay, mergeSteps, soonestFirst } from '../steps'
import { clock } from './clock.svelte'
import { attempt } from './notices.svelte'

const LIMIT = 500

class Steps {
  planned = $state.raw<Step[]>([])
  loaded = $state(false)
  problem = $state.raw<Problem | null>(null)
  /** Of everybody's, also those that are not loaded. */
  counts = $state.raw<StepCounts>({ overdue: 0, today: 0, later: 0 })
  /** Where the list goes on; null: all of it is here. */
  next = $state<string | null>(null)
  #customer: string | null = null
  readonly #fetches = new Coalescer()

  get due(): number {
    return this.next === null ? dueCount(this.planned, clock.now) : this.counts.overdue
  }

  of(customer: string): Step[] {
    return this.planned.filter((step) => step.customer_id === customer)
  }

  refresh(): Promise<void> {
    return this.#read('all', async () => {
      await this.#page(null)
      this.loaded = true
    })
  }

  /** Reads what is due after what is here. */
  more(): Promise<void> {
    return this.#read('all', () => this.#page(this.next))
  }

  /** Reads those of one customer, who may have some beyond the first of everybody's. */
  show(customer: string): Promise<void> {
    this.#customer = customer
    return this.#read(customer, async () => {
      const { items } = await api.stepsOf(customer)
      this.planned = mergeSteps(this.planned, items, (step) => step.customer_id === customer)
    })
  }

  async changed(customer: string | null): Promise<void> {
    await Promise.all([this.refresh(), customer !== null && customer === this.#customer ? this.show(customer) : undefined])
  }

  plan(step: NewStep): Promise<boolean> {
    return this.#act(() => api.planStep(step))
  }

  done(step: Step): Promise<boolean> {
    return this.#act(() => api.stepDone(step.id))
  }

  decline(step: Step): Promise<boolean> {
    return this.#act(() => api.declineStep(step.id))
  }

  postpone(step: Step, until: Date): Promise<boolean> {
    return this.#act(() => api.postponeStep(step.id, until))
  }

  /** The most urgent ones come first, so a page tells of all that are due before its last. */
  async #page(cursor: string | null): Promise<void> {
    const page = await api.steps(new Date(endOfDay(clock.now)).toISOString(), { limit: LIMIT, cursor })
    const last = page.items.at(-1)
    const isCovered = (step: Step) => cursor === null && (page.next === null || (last !== undefined && soonestFirst(step, last) <= 0))
    this.planned = mergeSteps(this.planned, page.items, isCovered)
    this.counts = page.counts
    this.next = page.next
  }

  #act(action: () => Promise<Step>): Promise<boolean> {
    return attempt(async () => {
      this.planned = mergeSteps(this.planned, [await action()], () => false)
    })
  }

  #read(key: string, read: () => Promise<void>): Promise<void> {
    return this.#fetches.request(key, async () => {
      try {
        await read()
        this.problem = null
      } catch (cause) {
        if (!(cause instanceof Problem)) throw cause
        this.problem = cause
      }
    })
  }
}

export const steps = new Steps()
