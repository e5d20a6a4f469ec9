/** What GET /search answers. */
import type { Channel, Whose } from './types'

export interface Piece {
  text: string
  found: boolean
}

export interface Hit {
  kind: 'text' | 'form' | 'call' | 'note' | 'customer' | 'quarantine'
  id: string
  customer_id: string | null
  customer: Whose | null
  conversation_id: string | null
  channel: Pick<Channel, 'id' | 'kind' | 'name'> | null
  direction: 'inbound' | 'outbound' | null
  at: string
  title: Piece[]
  snippet: Piece[]
  position: number
}

export interface Hits {
  items: Hit[]
  next: string | null
  behind: number
}

/** Hits of one customer together, in the order of each customer's newest. */
export function byCustomer(hits: Hit[]): { key: string; hits: Hit[] }[] {
  const groups = new Map<string, Hit[]>()
  for (const hit of hits) {
    const key = hit.customer_id ?? ''
    groups.set(key, [...(groups.get(key) ?? []), hit])
  }
  return [...groups].map(([key, hits]) => ({ key, hits }))
}

/** Where a hit is shown. */
export function addressOf(hit: Hit): string {
  if (hit.conversation_id) return `/c/${hit.conversation_id}`
  return hit.kind === 'quarantine' || !hit.customer_id ? '/quarantine' : `/customers/${hit.customer_id}`
}
