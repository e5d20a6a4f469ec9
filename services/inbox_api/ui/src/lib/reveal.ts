/** Brings a message of the conversation on screen into view; what is older than what is loaded is loaded first. */
import { screen } from './live/follow.svelte'
import type { Moment } from './moment'
import { threadOf } from './state/thread.svelte'

const PAGES = 40
const TRIES = 40
const TRY_MILLISECONDS = 50

/** `moment`: the past that is shown, whose list is on screen already. */
export async function reveal(conversation: string, message: string, moment: Moment | null = null): Promise<void> {
  const feed = (screen.thread?.id === conversation && screen.thread.moment !== null && moment !== null ? screen.thread : threadOf(conversation, null)).feed
  await feed.refresh()
  for (let page = 0; page < PAGES && !feed.items.some((entry) => entry.id === message) && feed.older !== null; page++) {
    await feed.loadOlder()
  }
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const element = document.querySelector(`[data-testid="messages"] [data-id="${CSS.escape(message)}"]`)
    if (element) {
      element.scrollIntoView({ block: 'center' })
      element.animate([{ outline: '2px solid var(--accent)' }, { outline: '2px solid transparent' }], 1600)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_MILLISECONDS))
  }
}
