import { expect, test } from 'vitest'
import { momentFields, momentOf, orderOf, pathAt } from '../src/lib/moment'
import { filterFields, isFiltered, NO_FILTER } from '../src/lib/timeline_filter'
import { entry } from './examples'

const AT = '2026-11-21T14:05:00.000Z'

test('an address says which moment is shown, and in which meaning', () => {
  expect(momentOf('')).toBeNull()
  expect(momentOf('?as_of=')).toBeNull()
  expect(momentOf(`?as_of=${AT}`)).toEqual({ at: AT, by: 'known' })
  expect(momentOf(`?as_of=${AT}&by=happened`)).toEqual({ at: AT, by: 'happened' })
  expect(momentOf(`?as_of=${AT}&by=guess`)).toEqual({ at: AT, by: 'known' })
})

test('what an address says is what it is read as', () => {
  for (const moment of [null, { at: AT, by: 'known' as const }, { at: AT, by: 'happened' as const }]) {
    expect(momentOf(new URL(pathAt('/c/1', moment), 'http://x').search)).toEqual(moment)
  }
  expect(momentFields(null)).toEqual({})
})

test('what had happened is shown in the order of happening', () => {
  const late = entry({ id: 'late', occurred_at: '2026-03-01T09:00:00Z', recorded_at: '2026-03-01T12:00:00Z', position: 9 })
  const early = entry({ id: 'early', occurred_at: '2026-03-01T10:00:00Z', recorded_at: '2026-03-01T10:00:00Z', position: 2 })
  expect([early, late].sort(orderOf({ at: AT, by: 'happened' }))).toEqual([late, early])
  expect([late, early].sort(orderOf({ at: AT, by: 'known' }))).toEqual([early, late])
})

test('a filter asks for kinds and whole local days', () => {
  const asked = filterFields({ ...NO_FILTER, group: 'status', from: '2026-03-01', to: '2026-03-01' })
  expect(asked.kind).toBe('opened,closed,reopened,snoozed,tagged')
  expect(asked.since).toBe(new Date(2026, 2, 1).toISOString())
  expect(asked.until).toBe(new Date(2026, 2, 1, 23, 59, 59, 999).toISOString())
  expect(Object.values(filterFields(NO_FILTER)).join('')).toBe('')
  expect([isFiltered(NO_FILTER), isFiltered({ ...NO_FILTER, author: 'system' })]).toEqual([false, true])
})
