/** What an operator does to a conversation, from a button or a key. */
import { api } from './api/client'
import type { Conversation } from './api/types'
import { L } from './i18n/index.svelte'
import { inbox } from './state/inbox.svelte'
import { attempt, notices } from './state/notices.svelte'

type Act = () => Promise<Conversation>

async function act(action: Act): Promise<boolean> {
  return attempt(async () => inbox.put(await action()))
}

export async function closeConversation(id: string): Promise<boolean> {
  const closed = await act(() => api.close(id))
  if (closed) notices.say(L.t.conversation.closed_toast, { label: L.t.conversation.undo, run: () => void reopenConversation(id) })
  return closed
}

export const reopenConversation = (id: string): Promise<boolean> => act(() => api.reopen(id))

export async function snoozeConversation(id: string, until: Date, said: string): Promise<boolean> {
  const done = await act(() => api.snooze(id, until))
  if (done) notices.say(L.t.conversation.snoozed_until(said), { label: L.t.conversation.undo, run: () => void reopenConversation(id) })
  return done
}

export const assignConversation = (id: string, operator: string | null): Promise<boolean> => act(() => api.assign(id, operator))

export const tagConversation = (id: string, add: string[], remove: string[]): Promise<boolean> =>
  act(() => api.tag(id, add, remove))
