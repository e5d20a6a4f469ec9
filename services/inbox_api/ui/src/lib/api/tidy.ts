/** What the window asks of putting conversations right. */
import { request } from './client'
import type { Conversation, Page } from './types'

export const tidyApi = {
  merge: (id: string, into: string) => request<Conversation>('POST', `/conversations/${id}/merge`, { into }),
  unmerge: (id: string) => request<Conversation>('POST', `/conversations/${id}/unmerge`, {}),
  merged: (id: string) => request<Page<Conversation>>('GET', `/conversations/${id}/merged`),
  split: (id: string, messages: string[]) => request<Conversation>('POST', `/conversations/${id}/split`, { messages }),
}
