import { expect, test } from 'vitest'
import { DraftStore } from '../src/lib/drafts'
import { OutboxStore, type Pending } from '../src/lib/outbox'
import { shelf } from './examples'

const pending = (changes: Partial<Pending>): Pending => ({
  id: 'm1', conversation_id: 'c1', kind: 'reply', text: 'Привет', created_at: '2026-03-01T10:00:00Z', ...changes,
})

test('a draft is kept for its conversation and kind only', () => {
  const drafts = new DraftStore(shelf())
  drafts.write('c1', 'reply', 'Hello')
  expect([drafts.read('c1', 'reply'), drafts.read('c1', 'note'), drafts.read('c2', 'reply')]).toEqual(['Hello', '', ''])
})

test('an emptied draft leaves nothing in the storage', () => {
  const storage = shelf()
  const drafts = new DraftStore(storage)
  drafts.write('c1', 'note', 'Hello')
  drafts.write('c1', 'note', '  ')
  expect(storage.length).toBe(0)
})

test('an answer stays in the outbox until it is confirmed', () => {
  const storage = shelf()
  new OutboxStore(storage).put(pending({}))
  const reopened = new OutboxStore(storage)
  expect(reopened.of('c1')).toEqual([pending({})])
  reopened.confirm('m1')
  expect(reopened.of('c1')).toEqual([])
})

test('the outbox gives a conversation its own answers, oldest first', () => {
  const outbox = new OutboxStore(shelf())
  outbox.put(pending({ id: 'later', created_at: '2026-03-01T10:00:05Z' }))
  outbox.put(pending({ id: 'other', conversation_id: 'c2' }))
  outbox.put(pending({ id: 'first' }))
  expect(outbox.of('c1').map(({ id }) => id)).toEqual(['first', 'later'])
})
