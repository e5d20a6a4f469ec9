/** From a stream event to the fetches it asks for, and no others. */
import type { Change } from '../api/types'
import { calls } from '../state/calls.svelte'
import { health } from '../state/health.svelte'
import { inbox } from '../state/inbox.svelte'
import { CHANGES_WHO_IS_ONE, merging } from '../state/merging.svelte'
import type { Person } from '../state/person.svelte'
import { session } from '../state/session.svelte'
import { steps } from '../state/steps.svelte'
import { suggestions } from '../state/suggestions.svelte'
import { tidy } from '../state/tidy.svelte'
import { loadedThread, markThreads, type Thread } from '../state/thread.svelte'
import type { StreamListener } from './stream.svelte'
import { Turns } from './turns'

/** What is on screen, set by the page that shows it. */
export const screen: { thread: Thread | null; person: Person | null } = { thread: null, person: null }

const turns = new Turns(follow)

export const follower: StreamListener = {
  change(change: Change): void {
    if (change.kind === 'call') turns.first(calls.changed(change))
    turns.after(change)
  },

  resync(): void {
    void inbox.reload()
    markThreads()
    tidy.happened++
    screen.person?.feed.markAll()
    void screen.thread?.refresh()
    if (screen.person?.moment === null) void screen.person.refresh()
    void health.refresh()
    void steps.refresh()
    void suggestions.refresh()
  },

  refused(): void {
    void session.askAgain()
  },
}

function follow(change: Change): void {
  if (change.conversation_id !== null) followConversation(change, change.conversation_id)
  else if (change.customer_id !== null) void inbox.changed(rowsOf(change.customer_id))
  if (change.customer_id !== null && screen.person?.is(change.customer_id)) {
    void screen.person.changed(change)
    if (change.conversation_id !== null) tidy.happened++
  }
  if (CHANGES_WHO_IS_ONE.test(change.type)) {
    void merging.changed()
    void suggestions.refresh()
  }
  if (change.type === 'CustomersMerged' || change.type === 'CustomerUnmerged') {
    void inbox.reload()
    void screen.thread?.refresh()
  }
  if (/^Step/.test(change.type)) void steps.changed(change.customer_id)
  if (/quarantine/i.test(change.type)) void health.refreshQuarantine()
  if (/channel/i.test(change.type)) void health.refreshChannels()
}

/** Messages come in or go in the middle of the list. */
const CHANGES_WHAT_IS_IN_IT = /^(MessageAdopted|ConversationMerged|ConversationUnmerged)$/

function followConversation(change: Change, id: string): void {
  const thread = loadedThread(id)
  if (change.type === 'MessageMoved' && change.message_id !== null) thread?.feed.remove(change.message_id)
  else if (CHANGES_WHAT_IS_IN_IT.test(change.type)) void thread?.feed.startAnew()
  else thread?.feed.mark(change.message_id)
  if (thread && thread === screen.thread) void thread.refreshMessages()
  void inbox.changed([id])
}

function rowsOf(customer: string): string[] {
  return inbox.rows.filter((row) => row.customer_id === customer).map((row) => row.id)
}
