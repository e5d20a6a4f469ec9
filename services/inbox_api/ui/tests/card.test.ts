import { describe, expect, test } from 'vitest'
import type { Card, Value } from '../src/lib/api/card'
import { asChange, asInput, asText, fieldsOf, formerOf, isEmpty, valueOf, type FieldType } from '../src/lib/card'
import { card as en } from '../src/lib/i18n/card.en'
import * as pagesEn from '../src/lib/i18n/card_pages.en'
import * as pagesRu from '../src/lib/i18n/card_pages.ru'

const reading = { locale: 'en-GB', words: en, operators: [{ id: '7', name: 'Olga' }] }
const keysOf = (texts: object): string[] =>
  Object.entries(texts).flatMap(([key, value]) => (typeof value === 'object' ? keysOf(value as object) : [key]))

test('the pages have the same texts in both languages and none is empty', () => {
  expect(keysOf(pagesRu)).toEqual(keysOf(pagesEn))
  expect(JSON.stringify([pagesEn, pagesRu])).not.toContain('""')
})

test('own fields stand behind those every card has', () => {
  const fields = fieldsOf([{ key: 'size', label: 'Size', type: 'choice', choices: ['S'] }], en.fields)
  expect([fields[0]?.label, fields.at(-1)]).toEqual(['Name', { name: 'own.size', type: 'choice', label: 'Size', choices: ['S'] }])
  const card = { name: 'Anna', own: { size: 'S' } } as unknown as Card
  expect([valueOf(card, 'name'), valueOf(card, 'own.size'), valueOf(card, 'own.gone')]).toEqual(['Anna', 'S', null])
})

test('a field that nobody has any more is shown by its key where a card of the past has it', () => {
  const card = { own: { size: 'S', shoe: 42 } } as unknown as Card
  const own = [{ key: 'size', label: 'Size', type: 'text' as const, choices: [] }]
  expect(formerOf(card, own)).toEqual([{ name: 'own.shoe', type: 'text', label: 'shoe', choices: [] }])
})

describe('a value', () => {
  const cases: [FieldType, Value, string, string][] = [
    ['text', null, '', ''],
    ['tags', ['a', 'b'], 'a, b', 'a\nb'],
    ['lines', ['a', 'b'], 'a\nb', 'a\nb'],
    ['operator', { id: '7', name: 'Olga' }, '7', 'Olga'],
    ['yes_no', false, 'no', 'no'],
    ['number', 1234.5, '1234.5', '1,234.5'],
    ['birthday', '1990-12-31', '1990-12-31', '31 December 1990'],
    ['birthday', '--02-29', '--02-29', '29 February'],
    ['date', '2020-02-01', '2020-02-01', '1 February 2020'],
    ['text', '1990-12-31', '1990-12-31', '1990-12-31'],
    ['operator', '7', '7', 'Olga'],
    ['operator', '8', '8', '8'],
  ]
  test.each(cases)('of type %s, %j, is edited as %j and shown as %j', (type, value, input, text) => {
    expect([asInput(type, value), asText(type, value, reading)]).toEqual([input, text])
  })

  test('is empty when there is nothing in it, not when it says no', () => {
    expect([null, [], false, 0].map(isEmpty)).toEqual([true, true, false, false])
  })
})

describe('a change', () => {
  const fields = fieldsOf([{ key: 'vip', label: 'VIP', type: 'yes_no', choices: [] }, { key: 'sum', label: 'Sum', type: 'number', choices: [] }], en.fields)
  const told = (field: string, before: string[], after: string[]) => {
    const { label, ...text } = asChange({ field, before, after }, fields, reading)
    return [label, text.before, text.after]
  }

  test('is told as people read it, not as the log keeps it', () => {
    expect(told('operator', [], ['7'])).toEqual(['Responsible', '', 'Olga'])
    expect(told('birthday', ['1990-12-31'], ['--02-29'])).toEqual(['Birthday', '31 December 1990', '29 February'])
    expect(told('own.vip', ['yes'], ['no'])).toEqual(['VIP', 'yes', 'no'])
    expect(told('own.sum', ['1234.5'], [])).toEqual(['Sum', '1,234.5', ''])
    expect(told('tags', [], ['vip', 'opt'])).toEqual(['Tags', '', 'vip, opt'])
  })

  test('of a field that nobody has any more is told by its key', () => {
    expect(told('own.gone', [], ['x'])).toEqual(['gone', '', 'x'])
  })
})
