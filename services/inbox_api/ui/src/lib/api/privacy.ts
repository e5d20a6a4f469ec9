/** Erasures with their certificates, holds, and how long content is kept; only an admin may ask. */
import { request } from './client'
import type { Page } from './types'

export interface Erasure {
  id: string
  kind: 'customer' | 'retention' | 'lost'
  subject_id: string
  until: string | null
  reason: string
  requested_by: string
  requested_at: string
  state: 'requested' | 'recorded' | 'destroyed' | 'shown' | 'done'
  /** What keeps it from going on; empty when nothing does. */
  problem: string
  finished_at: string | null
  certificate: { destroyed: { keys: number; events: number; files: number }; [name: string]: unknown } | null
}

export interface Hold {
  id: string
  kind: 'customer' | 'channel'
  subject_id: string
  reason: string
  set_by: string
  set_at: string
  released_by: string | null
  released_at: string | null
}

export interface Rule {
  channel_id: string
  days: number
  set_by: string
  set_at: string
  done_until: string | null
}

export const privacy = {
  erasures: () => request<Page<Erasure>>('GET', '/erasures'),
  erase: (customer: string, reason: string) => request<Erasure>('POST', `/customers/${customer}/erase`, { confirm: customer, reason }),
  holds: () => request<Page<Hold>>('GET', '/holds'),
  hold: (kind: Hold['kind'], subject_id: string, reason: string) => request<{ id: string }>('POST', '/holds', { kind, subject_id, reason }),
  release: (id: string) => request<void>('POST', `/holds/${id}/release`, {}),
  rules: () => request<Page<Rule>>('GET', '/retention'),
  /** `days` null: keep for ever. */
  keep: (channel: string, days: number | null) => request<Page<Rule>>('POST', `/retention/${channel}`, { days }),
}
