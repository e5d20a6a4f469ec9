/** The shapes the API speaks, as they stand in the JSON: snake_case, RFC 3339 times, UUID ids. */

export type Status = 'open' | 'snoozed' | 'closed'
export type StatusFilter = Status | 'all'
export type Direction = 'inbound' | 'outbound'
export type DeliveryState = 'queued' | 'sent' | 'delivered' | 'failed' | 'bounced' | 'unknown'
export type CallState = 'ringing' | 'answered' | 'finished' | 'missed' | 'failed'
export type MessageKind = 'text' | 'call' | 'form' | 'note'
export type EntryKind = MessageKind | 'opened' | 'closed' | 'reopened' | 'snoozed' | 'assigned' | 'tagged'

export interface Page<T> {
  items: T[]
  next: string | null
}

export interface Operator {
  id: string
  email: string
  name: string
  role: 'admin' | 'operator' | 'analyst'
  language: 'ru' | 'en' | null
}

export interface ChannelRef {
  id: string
  kind: string
  name: string
}

export interface Conversation {
  id: string
  customer_id: string
  customer: { id: string; name: string | null; address: string | null }
  channel: ChannelRef
  subject: string | null
  status: Status
  snoozed_until: string | null
  assignee: { id: string; name: string } | null
  tags: string[]
  unanswered: boolean
  waiting_since: string | null
  messages_count: number
  last_message: {
    id: string
    direction: Direction
    kind: MessageKind
    author_name: string | null
    preview: string
    occurred_at: string
    call: { state: CallState; direction: 'inbound' | 'outbound' } | null
  } | null
  opened_at: string
  changed_at: string
  position: number
  reply_to: string[] | null
  reply_channel: ChannelRef | null
  cannot_reply: string | null
}

export interface Attachment {
  id: string
  name: string | null
  media_type: string
  size: number
  sha256: string
  url: string
}

export interface Raw {
  sha256: string
  size: number
  url: string
}

export interface Delivery {
  state: DeliveryState
  attempts: number
  error: string | null
  changed_at: string
}

export interface Call {
  state: CallState
  direction: Direction
  from: string | null
  to: string | null
  answered_by: string | null
  waiting_seconds: number | null
  talking_seconds: number | null
  recording: { url: string } | string | null
}

/** A message, or an entry of a timeline: the same fields with further kinds, and no direction for those. */
export interface Entry {
  id: string
  conversation_id: string
  customer_id: string
  direction: Direction | null
  kind: EntryKind
  channel: ChannelRef | null
  external_id: string | null
  occurred_at: string
  recorded_at: string
  author: { kind: 'customer' | 'operator' | 'system'; name: string | null; address?: string | null }
  subject: string | null
  text: string
  full_text: string | null
  html: string | null
  attachments: Attachment[]
  raw: Raw | null
  delivery: Delivery | null
  fields: [string, string][] | null
  call: Call | null
  position: number
}

export interface Customer {
  id: string
  name: string | null
  identities: { kind: string; address: string; name: string | null }[]
  created_at: string
  conversations: number
}

export interface Channel extends ChannelRef {
  state: 'active' | 'paused' | 'failing'
  problem: string | null
  lag: number | null
  last_received_at: string | null
}

export interface Quarantined {
  id: string
  channel: ChannelRef
  external_id: string | null
  received_at: string
  reason: string
  raw: Raw | null
  state: 'waiting' | 'retrying' | 'resolved'
}

export interface Change {
  position: number
  type: string
  conversation_id: string | null
  customer_id: string | null
  message_id: string | null
  kind: MessageKind | null
  recorded_at: string
}
