import { expect, it } from 'vitest'
import { excerpt } from '../src/lib/text/excerpt'

const FIELDS: [string, string][] = [['Имя', 'Анна'], ['Сообщение', 'Дует из окна'], ['Адрес', 'Мира, 5']]

it('says first what the client wrote, once, and then the other answers', () => {
  expect(excerpt({ text: 'Дует из окна', fields: FIELDS })).toBe('Дует из окна\nИмя: Анна\nАдрес: Мира, 5')
})

it('shows every answer of a form without a message', () => {
  expect(excerpt({ text: '', fields: FIELDS })).toBe('Имя: Анна\nСообщение: Дует из окна\nАдрес: Мира, 5')
})

it('is the text where there is no form', () => {
  expect(excerpt({ text: 'Спасибо', fields: null })).toBe('Спасибо')
})
