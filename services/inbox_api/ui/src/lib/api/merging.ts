/** What the window asks of merging; the shapes as the API gives them. */
import { request } from './client'
import type { Customer, Page } from './types'

export interface Who {
  id: string
  name: string | null
  address: string | null
}

export interface Reason {
  evidence: 'claimed' | 'vouched' | 'both'
  kind: string
  address: string
  customer_id: string
  message_id: string | null
}

export interface Suggestion {
  id: string
  customer: Who
  other: Who
  reasons: Reason[]
  suggested_at: string
}

export const mergingApi = {
  suggestions: (customer: string) => request<Page<Suggestion>>('GET', `/customers/${customer}/suggestions`),
  all: (cursor: string | null) => request<Page<Suggestion>>('GET', `/suggestions${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ''}`),
  accept: (id: string) => request<Customer>('POST', `/suggestions/${id}/accept`, {}),
  refuse: (id: string) => request<void>('POST', `/suggestions/${id}/refuse`, {}),
  merge: (id: string, into: string) => request<Customer>('POST', `/customers/${id}/merge`, { into }),
  unmerge: (group: string, customer: string) => request<Customer>('POST', `/customers/${group}/unmerge`, { customer }),
  /** The newest customers, or those whose names or addresses have these words. */
  customers: (q: string) => request<Page<Customer>>('GET', `/customers?${new URLSearchParams({ q, limit: '12' })}`),
}
