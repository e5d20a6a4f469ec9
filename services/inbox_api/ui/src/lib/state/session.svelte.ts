/** Who is signed in. `known` is false until the server has been asked. */
import { api, whenSignedOut } from '../api/client'
import { Problem } from '../api/problem'
import type { Colleague, Operator } from '../api/types'
import { L } from '../i18n/index.svelte'
import { telephone } from './telephone.svelte'

/** Tells the other tabs of this browser: they have the same session. */
const ENDED = 'okno.session_ended'

class Session {
  operator = $state.raw<Operator | null>(null)
  operators = $state.raw<Colleague[]>([])
  /** To whom something can be given: what is with somebody who is locked stays theirs. */
  atWork = $derived(this.operators.filter(({ access }) => access !== 'locked'))
  known = $state(false)

  constructor() {
    whenSignedOut(() => (this.operator = null))
    addEventListener('storage', ({ key }) => {
      if (key === ENDED) this.operator = null
    })
  }

  /** Throws a Problem when the server cannot say, which is not the same as "nobody". */
  async ask(): Promise<void> {
    try {
      this.enter(await api.session())
    } catch (cause) {
      if (!(cause instanceof Problem) || cause.status !== 401) throw cause
      this.operator = null
      this.known = true
    }
  }

  /** For who is signed in already: that the server cannot say is told by the live badge, and changes nothing. */
  async askAgain(): Promise<void> {
    try {
      await this.ask()
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
    }
  }

  enter(operator: Operator): void {
    this.operator = operator
    this.known = true
    L.suggest(operator.language)
  }

  async signOut(): Promise<void> {
    await api.signOut()
    localStorage.setItem(ENDED, new Date().toISOString())
    this.operator = null
    telephone.forget()
  }

  /** Whether this is a colleague who has no way in any more. */
  isGone(id: string): boolean {
    return this.operators.some((operator) => operator.id === id && operator.access === 'locked')
  }

  async loadOperators(): Promise<void> {
    this.operators = (await api.operators()).items
  }
}

export const session = new Session()
