/** The shape of GET /events/{position}/why. */
export type Relation = 'this' | 'item' | 'together' | 'about' | 'answers'

export interface WhyActor {
  kind: 'customer' | 'operator' | 'system'
  id: string
  name: string
}

export interface WhyRaw {
  sha256: string
  size: number
  media_type: string
  url: string
}

export interface WhyLink {
  position: number
  type: string
  relation: Relation
  occurred_at: string
  recorded_at: string
  actor: WhyActor
  conversation_id: string | null
  facts: Record<string, unknown>
  raw: WhyRaw | null
}

export interface WhyAttempt {
  attempt: number
  state: string
  tries: number
  relayed_at: string
  first_try_at: string | null
  changed_at: string
  external_id: string | null
  code: string | null
  error: string | null
}

export interface Why {
  position: number
  type: string
  occurred_at: string
  recorded_at: string
  actor: WhyActor
  because: { kind: 'item' | 'operator' | 'reply' | 'rule'; id: string | null; name: string | null; reason: string | null; raw: WhyRaw | null }
  conversation: { id: string; reason: string; score: number } | null
  chain: WhyLink[]
  attempts: WhyAttempt[]
}
