/** One example of each thing, and a storage in memory; tests change what they are about. */
import type { Conversation, Entry } from '../src/lib/api/types'
import type { OutboxShelf } from '../src/lib/outbox'

export const conversation = (changes: Partial<Conversation>): Conversation => ({
  id: 'c1',
  customer_id: 'p1',
  customer: { id: 'p1', name: 'Мария', address: 'maria@client.example' },
  channel: { id: 'm1', kind: 'email', name: 'Support' },
  subject: 'Receipt',
  status: 'open',
  snoozed_until: null,
  assignee: null,
  tags: [],
  unanswered: true,
  waiting_since: '2026-03-01T10:00:00Z',
  messages_count: 1,
  last_message: null,
  opened_at: '2026-03-01T10:00:00Z',
  changed_at: '2026-03-01T10:00:00Z',
  position: 1,
  reply_to: ['maria@client.example'],
  reply_channel: null,
  cannot_reply: null,
  merged_into: null,
  ...changes,
})

export const entry = (changes: Partial<Entry>): Entry => ({
  id: 'e1',
  conversation_id: 'c1',
  customer_id: 'p1',
  direction: 'inbound',
  kind: 'text',
  channel: { id: 'm1', kind: 'email', name: 'Support' },
  external_id: null,
  occurred_at: '2026-03-01T10:00:00Z',
  recorded_at: '2026-03-01T10:00:00Z',
  author: { kind: 'customer', name: 'Мария' },
  subject: null,
  text: 'Hello',
  full_text: null,
  html: null,
  attachments: [],
  raw: null,
  delivery: null,
  fields: null,
  call: null,
  position: 1,
  ...changes,
})

export function shelf(): OutboxShelf {
  const values = new Map<string, string>()
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
    key: (index) => [...values.keys()][index] ?? null,
    get length() {
      return values.size
    },
  }
}
