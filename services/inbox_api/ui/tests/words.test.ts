import { describe, expect, test, vi } from 'vitest'
import { problemFrom } from '../src/lib/api/problem'
import { en } from '../src/lib/i18n/en'
import { ru } from '../src/lib/i18n/ru'
import { commandOf } from '../src/lib/keys'
import { pieces } from '../src/lib/text/links'
import { hue, initials } from '../src/lib/text/names'
import { day, duration, relative, snoozePresets } from '../src/lib/time'

const keysOf = (texts: object, path = ''): string[] =>
  Object.entries(texts).flatMap(([key, value]) => (typeof value === 'object' ? keysOf(value as object, `${path}${key}.`) : [path + key]))

test('both languages have the same texts and none is empty', () => {
  expect(keysOf(ru)).toEqual(keysOf(en))
  expect(JSON.stringify([en, ru])).not.toContain('""')
})

test('Russian counts with its three forms', () => {
  expect([1, 3, 5, 21, 112].map(ru.customer.conversations)).toEqual(['1 обращение', '3 обращения', '5 обращений', '21 обращение', '112 обращений'])
})

describe('relative time', () => {
  const now = new Date(2026, 2, 12, 15, 30).getTime()
  const at = (...parts: [number, number, number, number, number]) => relative(new Date(...parts).toISOString(), now, 'en-GB', en)

  test('is as short as the age allows', () => {
    expect([at(2026, 2, 12, 15, 30), at(2026, 2, 12, 15, 25), at(2026, 2, 12, 9, 5)]).toEqual(['now', '5 min', '09:05'])
    expect([at(2026, 2, 10, 9, 5), at(2026, 0, 3, 9, 5), at(2024, 9, 3, 9, 5)]).toEqual(['Tue', '3 Jan', '03/10/2024'])
  })

  test('a clock that is slightly ahead does not show the future', () => {
    expect(relative(new Date(now + 20_000).toISOString(), now, 'ru', ru)).toBe('сейчас')
  })
})

test('snoozing until next week means a Monday morning that is ahead', () => {
  for (let day = 1; day <= 7; day++) {
    const now = new Date(2026, 2, day, 20, 0)
    const monday = snoozePresets(now.getTime()).filter(({ until }) => until.getDay() === 1 && until.getHours() === 9)
    expect(monday).toHaveLength(1)
    expect(monday[0]?.until.getTime()).toBeGreaterThan(now.getTime())
  }
})

test('this evening is not offered in the evening', () => {
  const names = (hour: number) => snoozePresets(new Date(2026, 2, 3, hour).getTime()).map(({ name }) => name)
  expect(names(10)).toContain('this_evening')
  expect(names(18)).not.toContain('this_evening')
})

test('yesterday is the day before, also after a day of 23 or 25 hours', () => {
  // 24 hours before half past midnight is the day before yesterday where a clock was put forward in between.
  vi.stubEnv('TZ', 'Europe/Berlin')
  const words = { today: 'today', yesterday: 'yesterday' }
  for (const [month, date] of [[2, 30], [9, 26]] as const) {
    const now = new Date(2026, month, date, 0, 30)
    const at = (days: number) => day(new Date(2026, month, date - days, 12).toISOString(), now.getTime(), 'en-GB', words)
    expect([at(1), at(2) === 'yesterday']).toEqual(['yesterday', false])
  }
  vi.unstubAllEnvs()
})

test('a duration is minutes and seconds', () => {
  expect([0, 65, 3_600].map(duration)).toEqual(['0:00', '1:05', '60:00'])
})

test('only web and mail addresses become links, without the full stop after them', () => {
  expect(pieces('See https://a.example/x?y=1. Or mail me@a.example, javascript:alert(1)')).toEqual([
    { text: 'See ', href: null },
    { text: 'https://a.example/x?y=1', href: 'https://a.example/x?y=1' },
    { text: '. Or mail ', href: null },
    { text: 'me@a.example', href: 'mailto:me@a.example' },
    { text: ', javascript:alert(1)', href: null },
  ])
})

test('initials and colours of people without a name', () => {
  expect(['Мария Соколова', 'ООО «Северный ветер»', 'maria@a.example', '+7 916', ''].map(initials)).toEqual(['МС', 'ОС', 'MA', '+9', '?'])
  expect(hue('p1')).toBe(hue('p1'))
})

test('keys go by their place, so the Russian layout works', () => {
  const none = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false }
  expect(commandOf({ ...none, code: 'KeyJ', key: 'о' })).toBe('next')
  expect(commandOf({ ...none, code: 'KeyM', key: 'ь' })).toBe('merge')
  expect(commandOf({ ...none, code: 'ArrowUp', key: 'ArrowUp' })).toBe('message_up')
  expect(commandOf({ ...none, code: 'KeyE', key: 'У', shiftKey: true })).toBe('close_next')
  expect(commandOf({ ...none, code: 'Digit7', key: '?', shiftKey: true })).toBe('help')
  expect(commandOf({ ...none, code: 'KeyR', key: 'r', ctrlKey: true })).toBeNull()
})

test('a problem is read from JSON and survives a page of HTML', async () => {
  const json = await problemFrom(new Response('{"title":"Bad","detail":"Too short","errors":[{"pointer":"/name","detail":"empty"}]}', { status: 422 }))
  expect([json.status, json.message, json.errors]).toEqual([422, 'Too short', ['/name: empty']])
  const html = await problemFrom(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }))
  expect([html.status, html.message]).toEqual([502, 'Bad Gateway'])
})
