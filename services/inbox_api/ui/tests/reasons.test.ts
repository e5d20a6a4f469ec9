/// <reference types="vite/client" />
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

test('a refused value is said in the language of the operator, with what was written', () => {
  expect(reasonIn('ru', "'десять' is no number")).toBe('«десять» — не число')
  expect(reasonIn('ru', `"O'Neill" is none of S, M`)).toBe("«O'Neill» — такого варианта нет; есть: S, M")
  expect(reasonIn('en', "'ten' is no number")).toBe("'ten' is no number")
})

test('why a message stands in its conversation is said in the language of the operator', () => {
  expect(['first message of a thread', 'answers <a@b.example>', 'same sender and subject'].map((each) => reasonIn('ru', each))).toEqual([
    'первое сообщение ветки', 'ответ на <a@b.example>', 'тот же отправитель и та же тема',
  ])
})

const SOURCES = import.meta.glob<string>(
  ['../../../../shared/{csv_file,import_rows}.py', '../../../../shared/{domain,event_store}/*.py', '../../../../shared/registry/{operators,team}.py', '../../*.py'],
  { query: '?raw', import: 'default', eager: true },
)
/** What only programs meet: the window never asks so. */
const FOR_PROGRAMS =
  /must be|such as Z$|no content_id|may be X at most|may have 7 values|no byte of|blob folder|by channel_id|^not JSON|needs the header|has 64 digits|^A X is|^X called|is no XX$|`okno /

function refusals(): string[] {
  const said = /(?:Refused|NoSuchThing|HTTPException|WrongFile|WrongOperator|ValueError)\(\s*(?:(?:"[a-z_]*"|\d+),\s*)?f?"([^"]+ [^"]+)"/g
  return Object.values(SOURCES).flatMap((source) => [...source.matchAll(said)].map(([, text]) => text!))
}

test('whatever the API refuses has Russian words', () => {
  const all = refusals().map((text) => text.replaceAll(/\{\w+[^{}]*!r\}/g, "'X'").replaceAll(/\{[^{}]*(?:LIMIT|limit|DIGITS|MOST|CHARACTERS|SHORTEST|BYTES|bytes|number)[^{}]*\}/g, '7').replaceAll(/\{[^{}]*\}/g, 'X'))
  expect(all.length).toBeGreaterThan(80)
  expect(all.filter((text) => !FOR_PROGRAMS.test(text) && reasonIn('ru', text) === text)).toEqual([])
})
