/** Who asks the server first: a browser asks one server six things at a time, and the telephone is ringing.
 *  What came in one breath with a call is followed when the call's card is there, or has taken too long. */

export const CARD_MILLISECONDS = 250

export class Turns<T> {
  readonly #follow: (item: T) => void
  readonly #isHidden: () => boolean
  #first: Promise<void> = Promise.resolve()
  #waiting: T[] = []

  constructor(follow: (item: T) => void, isHidden = () => document.hidden) {
    this.#follow = follow
    this.#isHidden = isHidden
  }

  /** Something that everything else waits for, but not for long. */
  first(work: Promise<unknown>): void {
    const before = this.#first
    this.#first = new Promise<void>((resolve) => {
      setTimeout(resolve, CARD_MILLISECONDS)
      void work.finally(() => void before.then(() => resolve())) // what fails is still told as before
    })
  }

  /** In the order they came. A hidden window has no hurry and its timers are slow: there nothing waits. */
  after(item: T): void {
    this.#waiting.push(item)
    if (this.#isHidden()) this.#all()
    else if (this.#waiting.length === 1) setTimeout(() => void this.#first.then(() => this.#all()))
  }

  #all(): void {
    const items = this.#waiting
    this.#waiting = []
    items.forEach(this.#follow)
  }
}
