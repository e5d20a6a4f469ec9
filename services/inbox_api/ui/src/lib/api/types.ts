/** The shapes the API speaks, as they stand in the JSON: snake_case, RFC 3339 times, UUID ids. */

import type { Card } from './card'

export type Status = 'open' | 'snoozed' | 'closed'
export type StatusFilter = Status | 'all'
export type Direction = 'inbound' | 'outbound'
export type DeliveryState = 'queued' | 'sent' | 'delivered' | 'failed' | 'bounced' | 'unknown'
export type CallState = 'ringing' | 'answered' | 'finished' | 'missed' | 'failed'
export type MessageKind = 'text' | 'call' | 'form' | 'note'
export type ActionKind = 'action_edit' | 'action_delete' | 'action_react' | 'action_call'
export type StepKind = 'step_planned' | 'step_done' | 'step_postponed' | 'step_declined'
export type DeliveryKind = 'delivery_retried' | 'delivery_failed' | 'delivery_unknown' | 'delivery_delayed' | 'delivery_bounced' | 'delivery_complained'
export type EntryKind =
  | MessageKind | ActionKind | StepKind | DeliveryKind
  | 'card' | 'consent' | 'erased' | 'retired' | 'restored' | 'identity_linked'
  | 'opened' | 'closed' | 'reopened' | 'snoozed' | 'assigned' | 'tagged' | 'moved' | 'merged' | 'reach' | 'renamed' | 'deleted' | 'reacted'
export type Nature = 'ordinary' | 'automatic' | 'list' | 'bounce' | 'complaint' | 'receipt' | 'loop' | 'spam'
export type Markup = 'plain' | 'markdown'

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

/** active: can come in; invited: has a link to use; locked: has no way in. `signed_in_at` is told to admins only. */
export interface Colleague extends Operator {
  access: 'active' | 'invited' | 'locked'
  signed_in_at?: string | null
}

export interface ChannelRef {
  id: string
  kind: string
  name: string
}

/** The customer that something belongs to. */
export interface Whose {
  id: string
  name: string | null
  address: string | null
  /** Their content was destroyed for good. */
  erased?: boolean
}

export interface Conversation {
  id: string
  customer_id: string
  customer: Whose
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
    /** Its content was destroyed for good. */
    erased?: boolean
    occurred_at: string
    call: { state: CallState; direction: 'inbound' | 'outbound' } | null
  } | null
  opened_at: string
  changed_at: string
  position: number
  reply_to: string[] | null
  reply_channel: ChannelRef | null
  cannot_reply: string | null
  /** The conversation in which this one goes on. */
  merged_into: string | null
}

export interface Attachment {
  id: string
  name: string | null
  media_type: string
  size: number | null
  sha256: string | null
  /** null while it is being fetched, and when it cannot be had. */
  url: string | null
  state?: 'fetching' | 'missing'
  problem?: string | null
  content_id?: string | null
}

/** What a message said before it was edited. */
export interface Version {
  text: string
  full_text: string | null
  html: string | null
  attachments: Attachment[]
  at: string
}

export interface Reaction {
  author: { kind: 'customer' | 'operator' | 'system'; name: string | null }
  reactions: string[]
  at: string
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
  notices?: DeliveryNotice[]
}

/** What the client's side said of a message of ours. */
export interface DeliveryNotice {
  state: 'delivered' | 'read' | 'delayed' | 'bounced' | 'complained'
  recipient: string | null
  code: string | null
  error: string | null
  at: string
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
  on_hold?: boolean
  transferred_to?: string | null
  /** false: its end was never told, we gave it up. */
  reported?: boolean
  legs?: CallLeg[]
}

export interface CallLeg {
  id: string
  to: string | null
  state: 'ringing' | 'consulting' | 'answered' | 'on_hold' | 'ended'
  answered: boolean
}

/** A message, or an entry of a timeline: the same fields with further kinds, and no direction for those. */
export interface Entry {
  id: string
  /** null for what belongs to no conversation, such as some next steps. */
  conversation_id: string | null
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
  /** Its content was destroyed for good. */
  erased?: boolean
  full_text: string | null
  html: string | null
  attachments: Attachment[]
  raw: Raw | null
  delivery: Delivery | null
  fields: [string, string][] | null
  call: Call | null
  nature?: Nature
  warnings?: string[]
  edited_at?: string | null
  versions?: Version[]
  deleted_at?: string | null
  reactions?: Reaction[]
  to?: string[]
  cc?: string[]
  bcc?: string[]
  markup?: Markup
  due_at?: string | null
  /** Until when a conversation sleeps. */
  until?: string | null
  /** Tags. */
  added?: string[]
  removed?: string[]
  reachable?: boolean
  changes?: { field: string; before: string[]; after: string[] }[]
  /** The message that an operator picked to answer. */
  answers?: string
  consent?: { for: string; state: 'given' | 'withdrawn' }
  position: number
}

/** To whom a reply would go. */
export interface Draft {
  to: { kind: string; address: string; name: string | null }[]
  cc: string[]
  bcc: string[]
  /** Who else was written to. */
  others: string[]
  subject: string
  cannot_reply: string | null
  channel: ChannelRef | null
  /** What will stand below the answer, filled in. */
  signature: string
}

export interface UploadedFile {
  sha256: string
  size: number
  name: string
  media_type: string
  /** The name by which Markdown puts a picture into the text. */
  content_id?: string
}

/** What an answer has besides its words; `to` null: to whom the message answered says. */
export interface Extras {
  to: string[] | null
  cc: string[]
  bcc: string[]
  /** null: as is usual for what is answered. */
  quotes: boolean | null
  markup: Markup
  files: UploadedFile[]
  answers: Answered | null
}

/** A message picked to be answered. */
export interface Answered {
  id: string
  name: string
  text: string
}

export interface Step {
  id: string
  customer_id: string
  customer: Whose
  conversation_id: string | null
  what: string
  note: string
  state: 'planned' | 'done' | 'declined'
  due_at: string
  operator: { id: string; name: string } | null
  planned_at: string
  ended_at: string | null
  position: number
}

/** How many planned steps there are; `today` ends where the operator's day does. */
export interface StepCounts {
  overdue: number
  today: number
  later: number
}

/** Somebody listened to a recording. */
export interface Listening {
  position: number
  at: string
  operator: { id: string; name: string }
  attachment_id: string
  message_id: string
  customer_id: string
  name: string
}

export interface NewStep {
  id: string
  customer_id: string
  conversation_id: string | null
  what: string
  due_at: string
  operator_id: string | null
  note: string
}

export interface Identity {
  kind: string
  address: string
  name: string | null
  /** The channels on which this person has blocked us. */
  blocked: { channel: ChannelRef; reason: string }[] | null
}

export interface Customer {
  id: string
  name: string | null
  identities: Identity[]
  created_at: string
  /** Their content was destroyed for good; `erased_at` is null as of a moment before that. */
  erased: boolean
  erased_at: string | null
  conversations: number
  card: Card
  /** Others who are shown as one with this customer. */
  members: Member[]
  /** Whose card this is, when it was asked for by the id of one who is merged into another. */
  merged_into: string | null
}

export interface Member {
  id: string
  into: string
  name: string | null
  identities: Identity[]
  merged_at: string
  merged_by: string | null
}

export interface Channel extends ChannelRef {
  state: 'active' | 'paused' | 'failing'
  problem: string | null
  lag: number | null
  last_received_at: string | null
  can: ChannelAbilities
}

/** What a kind of channel can do. */
export type ChannelAbilities = Record<
  'sends' | 'files' | 'threads' | 'delivery_reports' | 'edits' | 'reacts' | 'markup' | 'recipients' | 'typing' | 'calls',
  boolean
>

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
