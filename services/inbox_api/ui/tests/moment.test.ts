import { expect, test, vi } from 'vitest'
import { momentFields, momentOf, orderOf, pathAt, timeOf } from '../src/lib/moment'
import { addressFields, filterFields, filterOf, isFiltered, NO_FILTER } from '../src/lib/timeline_filter'
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

test('a moment typed by hand without a zone is what the server takes it for, wherever it is read', () => {
  vi.stubEnv('TZ', 'Asia/Tokyo')
  const typed = (at: string) => momentOf(`?as_of=${at}`)!
  const nine = Date.UTC(2026, 10, 21, 9)
  for (const at of ['2026-11-21T09:00', '2026-11-21T09:00:00.000000', '2026-11-21T09:00Z', '2026-11-21T12:00+03:00', '2026-11-21T12:00%2B03:00']) {
    expect([at, timeOf(typed(at))]).toEqual([at, nine])
  }
  expect(typed('2026-11-21T09:00').at).toBe('2026-11-21T09:00Z')
  expect(timeOf(typed('2026-11-21'))).toBe(Date.UTC(2026, 10, 21))
  expect(['yesterday', '2026-W47', 'Nov 21 2026', '2026-13-40'].map((at) => timeOf(typed(at)))).toEqual([null, null, null, null])
  vi.unstubAllEnvs()
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
  for (const to of ['275760-09-13', '9999-12-31', '0202-01-01']) expect(filterFields({ ...NO_FILTER, to }).until).toBe('')
  expect([isFiltered(NO_FILTER), isFiltered({ ...NO_FILTER, author: 'system' })]).toEqual([false, true])
})

test('a filter that an address says is read as it was said, beside the moment', () => {
  const filter = { group: 'status', channel: 'c1', author: 'system', from: '2026-03-01', to: '2026-03-02' } as const
  const search = new URL(pathAt('/customers/1', { at: AT, by: 'happened' }, addressFields(filter)), 'http://x').search
  expect([filterOf(search), momentOf(search)]).toEqual([filter, { at: AT, by: 'happened' }])
  expect(filterOf('?kind=nonsense')).toEqual(NO_FILTER)
  for (const day of ['2026-13-45', '2026-02-31', '999999-01-01', 'x']) expect(filterOf(`?from=${day}&to=${day}`)).toEqual(NO_FILTER)
  expect(pathAt('/customers/1', null, addressFields(NO_FILTER))).toBe('/customers/1')
})
