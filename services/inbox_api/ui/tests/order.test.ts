import { expect, test } from 'vitest'
import { inLogOrder, mergeRows, newerEntry, withinLoaded } from '../src/lib/state/order'
import { conversation, entry } from './examples'

const ids = (rows: { id: string }[]) => rows.map(({ id }) => id)

test('a changed conversation moves to the top', () => {
  const rows = [conversation({ id: 'b', position: 2 }), conversation({ id: 'a', position: 1 })]
  expect(ids(mergeRows(rows, [conversation({ id: 'a', position: 3 })], 'open'))).toEqual(['a', 'b'])
})

test('an answer that comes late does not put an old state back', () => {
  const rows = [conversation({ position: 5, subject: 'new' })]
  expect(mergeRows(rows, [conversation({ position: 4, subject: 'old' })], 'open')[0]?.subject).toBe('new')
})

test('a closed conversation leaves the open list and stays under all', () => {
  const closed = conversation({ position: 2, status: 'closed' })
  expect(mergeRows([conversation({})], [closed], 'open')).toEqual([])
  expect(mergeRows([conversation({})], [closed], 'all')).toEqual([closed])
})

test('a row beyond the loaded pages is left to the page it stands on', () => {
  const rows = [conversation({ id: 'b', position: 9 }), conversation({ id: 'a', position: 5 })]
  expect(withinLoaded(conversation({ position: 3 }), rows, true)).toBe(false)
  expect(withinLoaded(conversation({ position: 3 }), rows, false)).toBe(true)
  expect(withinLoaded(conversation({ position: 7 }), rows, true)).toBe(true)
})

test('entries recorded in the same millisecond stand by position', () => {
  const entries = [entry({ id: 'b', position: 2 }), entry({ id: 'a', position: 1 }), entry({ id: '0', recorded_at: '2026-03-01T09:59:59.999Z', position: 7 })]
  expect(ids(entries.sort(inLogOrder))).toEqual(['0', 'a', 'b'])
})

test('delivery never falls back when the POST is answered after the live update', () => {
  const delivery = { attempts: 1, error: null }
  const sent = entry({ delivery: { ...delivery, state: 'sent', changed_at: '2026-03-01T10:00:02Z' } })
  const queued = entry({ delivery: { ...delivery, state: 'queued', changed_at: '2026-03-01T10:00:01Z' } })
  expect(newerEntry(sent, queued)).toBe(sent)
  expect(newerEntry(queued, sent)).toBe(sent)
})

test('a conversation that goes on in another is in no list, until something happens in it again', () => {
  const merged = conversation({ status: 'closed', merged_into: 'c2' })
  expect(mergeRows([conversation({})], [merged], 'all')).toEqual([])
  const again = conversation({ status: 'open', merged_into: 'c2' })
  expect(mergeRows([], [again], 'all')).toEqual([again])
})
