import { expect, test } from 'vitest'
import type { Call, Operator, Step } from '../src/lib/api/types'
import { endOfDay, grouped } from '../src/lib/steps'
import { responsible, whenToShow } from '../src/lib/who_sees'
import { conversation } from './examples'

const olga: Operator = { id: 'o1', email: 'olga@okno.example', name: 'Olga', role: 'operator', language: null }
const ben = { id: 'o2', name: 'Ben' }
const call = (changes: Partial<Call> = {}): Call => ({
  state: 'ringing', direction: 'inbound', from: '+7916', to: '+7495', answered_by: null, waiting_seconds: null, talking_seconds: null, recording: null, ...changes,
})
const leg = (to: string, state: 'ringing' | 'ended' = 'ringing') => ({ id: to, to, state, answered: false })

test('a call of nobody in particular is shown to every operator at once', () => {
  expect(whenToShow(call(), null, olga, '')).toBe('now')
})

test('a call of somebody responsible is shown to them at once, to others while it rings on', () => {
  expect(whenToShow(call(), { id: 'o1', name: 'Olga' }, olga, '')).toBe('now')
  expect(whenToShow(call(), ben, olga, '')).toBe('later')
})

test('whose telephone rings sees the call whoever is responsible', () => {
  expect(whenToShow(call({ legs: [leg('101')] }), ben, olga, '101')).toBe('now')
  expect(whenToShow(call({ legs: [leg('101', 'ended')] }), ben, olga, '101')).toBe('later')
  expect(whenToShow(call({ legs: [leg('')] }), ben, olga, '')).toBe('later')
})

test('a call we make concerns who makes it and who is responsible', () => {
  expect(whenToShow(call({ direction: 'outbound' }), ben, olga, '')).toBe('never')
  expect(whenToShow(call({ direction: 'outbound' }), null, olga, '')).toBe('now')
})

test('analysts answer nobody and see no call', () => {
  expect(whenToShow(call({ legs: [leg('101')] }), null, { ...olga, role: 'analyst' }, '101')).toBe('never')
})

test('responsible is who has the call, else who has the conversation changed last that is not closed', () => {
  const other = (position: number, changes: object) => conversation({ id: `c${position}`, position, assignee: ben, ...changes })
  expect(responsible(conversation({ assignee: { id: 'o1', name: 'Olga' } }), [other(9, {})])?.id).toBe('o1')
  expect(responsible(conversation({}), [other(2, { assignee: { id: 'o3', name: 'Ann' } }), other(3, {}), other(4, { status: 'closed' })])?.id).toBe('o2')
  expect(responsible(conversation({}), [other(4, { status: 'closed' }), other(5, { assignee: null })])).toBeNull()
})

test('steps stand in groups by when they are due, the day ending where the operator is', () => {
  const now = new Date(2026, 2, 1, 12).getTime()
  const step = (id: string, hours: number) => ({ id, due_at: new Date(now + hours * 3_600_000).toISOString() }) as Step
  const groups = grouped([step('a', -1), step('b', 0), step('c', 1), step('d', 11.9), step('e', 12), step('f', 99)], now)
  expect(Object.entries(groups).map(([name, steps]) => [name, steps.map(({ id }) => id).join('')])).toEqual([
    ['overdue', 'ab'], ['today', 'cd'], ['later', 'ef'],
  ])
  expect(endOfDay(now)).toBe(new Date(2026, 2, 2).getTime())
})
