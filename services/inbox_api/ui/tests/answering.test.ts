import { expect, test, vi } from 'vitest'
import { abilitiesOf, canDoAnything } from '../src/lib/abilities'
import { api } from '../src/lib/api/client'
import { nameOf } from '../src/lib/api/upload'
import type { Draft } from '../src/lib/api/types'
import { DraftStore } from '../src/lib/drafts'
import { changedTo, isMail, NO_EXTRAS, quotesOf, typed } from '../src/lib/recipients'
import { blocks } from '../src/lib/text/markdown'
import { isPicture, named, placed } from '../src/lib/text/pictures'
import { tellTyping } from '../src/lib/typing'
import { entry, shelf } from './examples'

const draft: Draft = {
  to: [{ kind: 'email', address: 'Maria@client.example', name: null }], cc: [], bcc: [], others: ['boss@client.example'], subject: 'Receipt', cannot_reply: null, channel: null, signature: '',
}

test('addresses are read as people type them, each once', () => {
  expect(typed('Ann <a@b.example>, d@e.example; A@B.example\nпочта@пример.рф')).toEqual({
    addresses: ['A@B.example', 'd@e.example', 'почта@пример.рф'],
    wrong: [],
  })
  expect(typed('nobody, a@b@c, a b@c.example')).toEqual({ addresses: [], wrong: ['nobody', 'a@b@c', 'a b@c.example'] })
})

test('the usual recipient is not sent along, another one is', () => {
  expect(changedTo(['maria@client.example'], draft)).toBeNull()
  expect(changedTo(['maria@client.example', 'boss@client.example'], draft)).toEqual(['maria@client.example', 'boss@client.example'])
  expect([isMail(draft), isMail(null), isMail({ ...draft, to: [] })]).toEqual([true, false, false])
})

test('an answer to a form quotes it unless told otherwise', () => {
  const asked = (quotes: boolean | null, kind: string) => quotesOf({ ...NO_EXTRAS, quotes }, { kind })
  expect([asked(null, 'web_form'), asked(null, 'email'), asked(false, 'web_form'), asked(true, 'email')]).toEqual([true, false, false, true])
})

test('what an answer has besides its words is kept, and leaves nothing behind', () => {
  const storage = shelf()
  const drafts = new DraftStore(storage)
  const extras = { ...NO_EXTRAS, cc: ['boss@client.example'], quotes: true }
  drafts.writeExtras('c1', extras)
  expect([drafts.readExtras('c1'), drafts.readExtras('c2')]).toEqual([extras, NO_EXTRAS])
  drafts.writeExtras('c1', NO_EXTRAS)
  expect(storage.length).toBe(0)
})

test('a file name that is too long keeps its ending', () => {
  const name = nameOf({ name: `${'я'.repeat(400)}.pdf` })
  expect([[...name].length, name.endsWith('.pdf'), nameOf({ name: ' ' })]).toEqual([251, true, 'file'])
})

test('that somebody is writing is told once in a few seconds', () => {
  const told = vi.spyOn(api, 'typing').mockResolvedValue(undefined)
  for (const at of [0, 1000, 3999, 4000, 4001]) tellTyping('c1', at)
  tellTyping('c2', 4001)
  expect(told.mock.calls).toEqual([['c1'], ['c1'], ['c2']])
})

test('only what can be done is offered', () => {
  const none = { sends: true, files: true, threads: false, delivery_reports: false, edits: false, reacts: false, markup: false, recipients: false, typing: false, calls: false }
  const telegram = { ...none, threads: true, edits: true, reacts: true }
  const sent = { state: 'sent' as const, attempts: 1, error: null, changed_at: '' }
  const ours = entry({ direction: 'outbound', delivery: sent })
  const nothing = { answer: false, edit: false, delete: false, react: false, move: false }
  expect(abilitiesOf(ours, telegram)).toEqual({ answer: true, edit: true, delete: true, react: true, move: false })
  expect(abilitiesOf({ ...ours, delivery: { ...sent, state: 'queued' } }, telegram)).toEqual(nothing)
  expect(abilitiesOf(entry({}), telegram)).toEqual({ ...nothing, answer: true, react: true, move: true })
  expect(abilitiesOf(entry({}), none)).toEqual({ ...nothing, move: true })
  expect(abilitiesOf(entry({}), null)).toEqual({ ...nothing, move: true })
  expect(canDoAnything(abilitiesOf(entry({ kind: 'note', direction: null }), telegram))).toBe(false)
})

const said = (text: string) => blocks(text).map(({ kind, mark, words }) => [kind, mark, words.map((each) => each.text).join('')])

test('Markdown is read by blocks', () => {
  expect(said('# Hello\nfirst\nsecond\n\n- one\n- two\n1. three\n> quoted\n> more\n```\na *b*\n```\nend')).toEqual([
    ['heading', '#', 'Hello'], ['paragraph', '', 'first\nsecond'], ['item', '•', 'one'], ['item', '•', 'two'], ['item', '1.', 'three'],
    ['quote', '', 'quoted\nmore'], ['code', '', 'a *b*\n'], ['paragraph', '', 'end'],
  ])
})

test('Markdown is read within a line, and only safe links are links', () => {
  const words = blocks('**bold *both*** `co*d*e` [site](https://a.example/) snake_case_name 2*3*4 [x](javascript:alert(1))')[0]?.words
  expect(words?.filter(({ bold }) => bold).map(({ text, italic }) => [text, italic])).toEqual([['bold ', false], ['both', true]])
  expect(words?.find(({ code }) => code)?.text).toBe('co*d*e')
  expect(words?.filter(({ href }) => href).map(({ text, href }) => [text, href])).toEqual([['site', 'https://a.example/']])
  expect(words?.map(({ text }) => text).join('')).toContain(' snake_case_name 2*3*4 [x](javascript:alert(1))')
})

test('a picture is put into the text where the caret is, by a name the mail knows it by', () => {
  const file = { sha256: 'a1'.repeat(32), size: 3, name: 'a[b].png', media_type: 'image/png' }
  const id = named(file).content_id
  expect(id).toMatch(/^[A-Za-z0-9._+@-]{1,200}$/)
  expect(placed('above below', file, 6)).toBe(`above \n![a b .png](cid:${id})\nbelow`)
  expect(placed('', file, 0)).toBe(`![a b .png](cid:${id})\n`)
  expect([isPicture(file), isPicture({ ...file, media_type: 'image/svg+xml' })]).toEqual([true, false])
  expect(said(`see ![plan](cid:${id}) here`)).toEqual([['paragraph', '', 'see 🖼 plan here']])
})
