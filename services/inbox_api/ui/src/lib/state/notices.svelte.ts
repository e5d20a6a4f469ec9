/** Short messages at the edge of the screen: what an action did, or why it failed. */
import { Problem } from '../api/problem'
import { L } from '../i18n/index.svelte'
import { reasonIn } from '../i18n/reasons'

export interface Notice {
  id: number
  tone: 'good' | 'bad'
  text: string
  action: { label: string; run: () => void } | null
}

const GOOD_MILLISECONDS = 6_000
const BAD_MILLISECONDS = 12_000

class Notices {
  list = $state<Notice[]>([])
  #last = 0

  say(text: string, action: Notice['action'] = null): void {
    this.#show({ id: ++this.#last, tone: 'good', text, action }, GOOD_MILLISECONDS)
  }

  failed(cause: unknown): void {
    this.#show({ id: ++this.#last, tone: 'bad', text: explain(cause), action: null }, BAD_MILLISECONDS)
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id)
  }

  #show(notice: Notice, milliseconds: number): void {
    this.list = [...this.list.filter((each) => each.text !== notice.text), notice].slice(-4)
    setTimeout(() => this.dismiss(notice.id), milliseconds)
  }
}

/** What to tell the operator about a failed request. What is not a `Problem` is a bug and is thrown on. */
export function explain(cause: unknown): string {
  if (!(cause instanceof Problem)) throw cause
  if (cause.unreachable) return L.t.errors.unreachable
  return [cause.message, ...cause.errors].map((each) => reasonIn(L.language, each)).join(' · ')
}

export const notices = new Notices()

/** Runs an action of the operator; a refused one is shown, and false returned. */
export async function attempt(action: () => Promise<void>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (cause) {
    notices.failed(cause)
    return false
  }
}
