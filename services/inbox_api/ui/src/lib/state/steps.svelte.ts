/** What is due: of everybody, and of the customer on screen. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { NewStep, Step } from '../api/types'
import { Coalescer } from '../live/coalesce'
import { dueCount, mergeSteps } from '../steps'
import { clock } from './clock.svelte'
import { attempt } from './notices.svelte'

const LIMIT = 500

class Steps {
  planned = $state.raw<Step[]>([])
  loaded = $state(false)
  problem = $state.raw<Problem | null>(null)
  #customer: string | null = null
  readonly #fetches = new Coalescer()

  get due(): number {
    return dueCount(this.planned, clock.now)
  }

  of(customer: string): Step[] {
    return this.planned.filter((step) => step.customer_id === customer)
  }

  refresh(): Promise<void> {
    return this.#read('all', async () => {
      const page = await api.steps({ limit: LIMIT })
      this.planned = mergeSteps(this.planned, page.items, () => page.next === null)
      this.loaded = true
    })
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
