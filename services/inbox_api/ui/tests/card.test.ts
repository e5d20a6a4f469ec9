import { describe, expect, test } from 'vitest'
import type { Card, Value } from '../src/lib/api/card'
import { asInput, asText, fieldsOf, formerOf, isEmpty, valueOf, type FieldType } from '../src/lib/card'
import { card as en } from '../src/lib/i18n/card.en'
import * as pagesEn from '../src/lib/i18n/card_pages.en'
import * as pagesRu from '../src/lib/i18n/card_pages.ru'

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
    ['text', '1990-13', '1990-13', '1990-13'],
  ]
  test.each(cases)('of type %s, %j, is edited as %j and shown as %j', (type, value, input, text) => {
    expect([asInput(type, value), asText(value, 'en-GB', en)]).toEqual([input, text])
  })

  test('is empty when there is nothing in it, not when it says no', () => {
    expect([null, [], false, 0].map(isEmpty)).toEqual([true, true, false, false])
  })
})
