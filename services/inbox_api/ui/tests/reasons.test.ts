import { expect, test } from 'vitest'
import { reasonIn } from '../src/lib/i18n/reasons'

test('why no answer is possible is said in the language of the operator, with its number', () => {
  const call = 'A call is not answered in writing: call back +442079460123.'
  expect(reasonIn('ru', call)).toBe('На звонок не отвечают письменно: перезвоните на +442079460123.')
  expect(reasonIn('en', call)).toBe(call)
})

test('a reason that only the server knows is shown as it is', () => {
  expect(reasonIn('ru', '550 no such user')).toBe('550 no such user')
})

test('what Telegram tells of a client who blocked the bot is said in the language of the operator', () => {
  expect(reasonIn('ru', 'blocked the bot')).toBe('Клиент заблокировал бота')
  expect(reasonIn('ru', 'started or unblocked the bot')).toBe('Клиент запустил или разблокировал бота')
  expect(reasonIn('ru', 'the bot was removed from the group')).toBe('Бота удалили из группы')
  expect(reasonIn('ru', 'the bot was added to the group')).toBe('Бота добавили в группу')
  expect(reasonIn('en', 'blocked the bot')).toBe('blocked the bot')
})
