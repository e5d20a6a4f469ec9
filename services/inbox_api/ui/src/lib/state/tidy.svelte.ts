/** Merging conversations, splitting them, and taking either back: all of it can be undone. */
import { tidyApi } from '../api/tidy'
import { L } from '../i18n/index.svelte'
import { router } from '../router.svelte'
import { inbox } from './inbox.svelte'
import { attempt, notices } from './notices.svelte'
import { loadedThread, threadOf, type Thread } from './thread.svelte'

class Tidy {
  /** Grows with each thing that happens in a conversation of the customer on screen. */
  happened = $state(0)
  #last: { id: string; into: string } | null = null

  /** Whether the conversation on screen is the one into which another was merged last. */
  merged(into: string): boolean {
    return this.#last?.into === into
  }

  merge(id: string, into: string): Promise<boolean> {
    return attempt(async () => {
      const now = await tidyApi.merge(id, into)
      this.#last = { id, into }
      inbox.put(now)
      void inbox.changed([id])
      this.goOnIn(threadOf(id, null), into)
      await loadedThread(into)?.feed.startAnew()
      notices.say(L.t.tidy.merged, { label: L.t.tidy.undo, run: () => void this.unmerge(id, into) })
    })
  }

  /** Goes where a conversation goes on, and takes along what was being written. */
  goOnIn(thread: Thread, into: string): void {
    thread.carryTo(threadOf(into, null))
    router.go(`/c/${into}`)
  }

  /** Takes the conversation out again that was merged last. */
  undo(): void {
    if (this.#last) void this.unmerge(this.#last.id, this.#last.into)
  }

  unmerge(id: string, from: string): Promise<boolean> {
    return attempt(async () => {
      inbox.put(await tidyApi.unmerge(id))
      if (this.#last?.id === id) this.#last = null
      void inbox.changed([from])
      await Promise.all([id, from].map((each) => loadedThread(each)?.feed.startAnew()))
      notices.say(L.t.tidy.apart, { label: L.t.tidy.open, run: () => router.go(`/c/${id}`) })
    })
  }

  /** Moves the clients' messages from one on into a conversation of their own, and goes there. */
  split(thread: Thread, from: string): Promise<boolean> {
    const items = thread.feed.items
    const at = items.findIndex(({ id }) => id === from)
    const said = (entry: { direction: string | null }) => entry.direction === 'inbound'
    if (at < 0 || (thread.feed.older === null && !items.slice(0, at).some(said))) {
      notices.say(L.t.tidy.nothing_before)
      return Promise.resolve(false)
    }
    const moved = items.slice(at).filter(said).map(({ id }) => id)
    return attempt(async () => {
      const now = await tidyApi.split(thread.id, moved)
      moved.forEach((id) => thread.feed.remove(id))
      inbox.put(now)
      router.go(`/c/${now.id}`)
      notices.say(L.t.tidy.was_split(moved.length), { label: L.t.tidy.undo, run: () => void this.#putBack(now.id, thread.id) })
    })
  }

  #putBack(id: string, into: string): Promise<boolean> {
    return attempt(async () => {
      inbox.put(await tidyApi.merge(id, into))
      void inbox.changed([id])
      router.go(`/c/${into}`)
      await loadedThread(into)?.feed.startAnew()
    })
  }
}

export const tidy = new Tidy()
