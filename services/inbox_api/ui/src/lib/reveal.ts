/** Brings a message of the conversation on screen into view; what is older than what is loaded is loaded first. */
import { threadOf } from './state/thread.svelte'

const PAGES = 40
const TRIES = 40
const TRY_MILLISECONDS = 50

export async function reveal(conversation: string, message: string): Promise<void> {
  const { feed } = threadOf(conversation, null)
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
