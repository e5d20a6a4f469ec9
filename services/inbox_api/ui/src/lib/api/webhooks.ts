/** The webhooks of partners; only an admin may ask. */
import { request } from './client'
import type { Page } from './types'

export interface Webhook {
  id: string
  url: string
  types: string[]
  state: 'active' | 'paused' | 'disabled'
  reason: string | null
  position: number
  behind: number
  tries: number
  failing_since: string | null
  next_try_at: string | null
  created_at: string
}

export interface WebhookDelivery {
  number: number
  webhook_id: string
  at: string
  first_position: number
  last_position: number
  events: number
  attempt: number
  status: number | null
  milliseconds: number
  answer: string
  problem: string
}

export const webhooks = {
  all: () => request<Page<Webhook>>('GET', '/webhooks'),
  add: (url: string, types: string[]) => request<Webhook & { secret: string }>('POST', '/webhooks', { url, types }),
  remove: (id: string) => request<void>('DELETE', `/webhooks/${id}`),
  pause: (id: string) => request<Webhook>('POST', `/webhooks/${id}/pause`, {}),
  resume: (id: string) => request<Webhook>('POST', `/webhooks/${id}/resume`, {}),
  rewind: (id: string, position: number) => request<Webhook>('POST', `/webhooks/${id}/rewind`, { position }),
  deliveries: (id: string) => request<Page<WebhookDelivery>>('GET', `/webhooks/${id}/deliveries?limit=20`),
}
