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
