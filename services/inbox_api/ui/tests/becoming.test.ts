import { expect, test } from 'vitest'
import type { Delivery, DeliveryNotice, Step } from '../src/lib/api/types'
import { callState } from '../src/lib/calls'
import { fateOf } from '../src/lib/delivery'
import { en } from '../src/lib/i18n/en'
import { ru } from '../src/lib/i18n/ru'
import { dueCount, mergeSteps, stepCommand } from '../src/lib/steps'

const delivery = (state: Delivery['state'], ...notices: Partial<DeliveryNotice>[]): Delivery => ({
  state, attempts: 1, error: null, changed_at: '2026-03-01T10:00:00Z',
  notices: notices.map((notice) => ({ state: 'delivered', recipient: null, code: null, error: null, at: '2026-03-01T10:00:00Z', ...notice })),
})

test('a reply that was read says so', () => {
  expect(fateOf(delivery('delivered', {}, { state: 'read' }))).toEqual({ state: 'read', complained: false, reasons: [] })
  expect(fateOf(delivery('sent', { state: 'delayed', error: 'greylisted' }))).toEqual({ state: 'delayed', complained: false, reasons: ['greylisted'] })
})

test('a bounce says who was not reached and why, once', () => {
  const bounced = { ...delivery('bounced', { state: 'bounced', recipient: 'a@b.example', code: '5.1.1', error: 'no such user' }), error: 'no such user' }
  expect(fateOf(bounced)).toEqual({ state: 'bounced', complained: false, reasons: ['a@b.example: 5.1.1 no such user'] })
  expect(fateOf({ ...delivery('failed'), error: '550 refused' }).reasons).toEqual(['550 refused'])
})

test('a complaint stands beside what became of the reply', () => {
  expect(fateOf(delivery('delivered', { state: 'complained' }))).toEqual({ state: 'delivered', complained: true, reasons: [] })
  expect(fateOf(delivery('bounced', { state: 'read' })).state).toBe('bounced')
})

const step = (id: string, due: string, changes: Partial<Step> = {}): Step => ({
  id, customer_id: 'p1', customer: { id: 'p1', name: null, address: null }, conversation_id: null, what: 'call_back', note: '', state: 'planned',
  due_at: due, operator: null, planned_at: due, ended_at: null, position: 1, ...changes,
})
const ids = (steps: Step[]) => steps.map(({ id }) => id)
const [early, late] = [step('early', '2026-03-01T10:00:00Z'), step('late', '2026-03-02T10:00:00Z')]

test('steps stand by when they are due; what has ended is gone', () => {
  expect(ids(mergeSteps([late], [early], () => false))).toEqual(['early', 'late'])
  expect(mergeSteps([early], [{ ...early, state: 'done', position: 2 }], () => false)).toEqual([])
  expect(ids(mergeSteps([early, late], [{ ...early, due_at: '2026-03-03T10:00:00Z', position: 2 }], () => false))).toEqual(['late', 'early'])
})

test('a list that is whole takes away what it lacks, of one customer only theirs', () => {
  expect(ids(mergeSteps([early, late], [late], () => true))).toEqual(['late'])
  const other = step('other', '2026-03-01T09:00:00Z', { customer_id: 'p2' })
  expect(ids(mergeSteps([early, other], [], (each) => each.customer_id === 'p1'))).toEqual(['other'])
})

test('an old answer does not put a postponed step back', () => {
  const postponed = { ...early, due_at: '2026-03-09T10:00:00Z', position: 5 }
  expect(mergeSteps([postponed], [early], () => true)).toEqual([postponed])
})

test('what is due is counted', () => {
  expect(dueCount([early, late], Date.parse('2026-03-01T12:00:00Z'))).toBe(1)
})

test('one key ends a step, on any layout, and none with a modifier', () => {
  const key = (code: string, ctrlKey = false) => stepCommand({ code, ctrlKey, shiftKey: false, metaKey: false, altKey: false })
  expect([key('KeyD'), key('KeyP'), key('KeyX'), key('KeyD', true), key('KeyQ')]).toEqual(['done', 'postpone', 'decline', null, null])
})

test('a call says more than its one word where more is known', () => {
  expect(callState({ state: 'answered', on_hold: true, reported: true }, en)).toBe('On hold')
  expect(callState({ state: 'missed', on_hold: false, reported: false }, ru)).toBe('Пропущен (завершён, о конце не сообщили)')
  expect(callState({ state: 'finished' }, en)).toBe('Finished')
})
