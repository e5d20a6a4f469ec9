import { render } from 'svelte/server'
import { describe, expect, it, vi } from 'vitest'
import type { Conversation, Customer } from '../src/lib/api/types'
import { en } from '../src/lib/i18n/en'
import { reasonIn } from '../src/lib/i18n/reasons'
import { ru } from '../src/lib/i18n/ru'
import { nameOf } from '../src/lib/text/names'
import { conversation } from './examples'

vi.stubGlobal('localStorage', { getItem: () => null })
vi.stubGlobal('navigator', { language: 'en-GB', userAgent: '' })
vi.stubGlobal('location', { pathname: '/', search: '', href: 'http://okno.example/' })
vi.stubGlobal('addEventListener', () => undefined)
const { default: ConversationRow } = await import('../src/parts/ConversationRow.svelte')
const { default: ConversationHeader } = await import('../src/parts/ConversationHeader.svelte')
const { default: CustomerMerging } = await import('../src/parts/CustomerMerging.svelte')
const { default: Card } = await import('../src/parts/card/Card.svelte')

const WHY = 'The client was erased: there is nobody to write to'
const gone = { id: 'p1', name: null, address: '', erased: true }
const last: NonNullable<Conversation['last_message']> = {
  id: 'm1', direction: 'outbound', kind: 'text', author_name: null, preview: '', occurred_at: '2026-03-01T10:00:00Z', call: null,
}
const erased = conversation({ customer: gone, subject: '', last_message: last, cannot_reply: WHY, reply_to: null })
const plain = ({ body }: { body: string }) => body.replace(/<!--.*?-->/g, '')
const customer = (changes: Partial<Customer>) =>
  ({
    id: 'p1', name: null, identities: [], created_at: '2026-03-01T10:00:00Z', erased: true, erased_at: '2026-03-02T10:00:00Z', conversations: 1,
    card: { name: null, own: {}, consents: {}, retired: false }, members: [], merged_into: null, ...changes,
  }) as unknown as Customer

describe('a client who was erased', () => {
  it('is called so in both languages, in the list and above the conversation', () => {
    expect([en, ru].map((words) => nameOf(gone, words))).toEqual(['Erased client', 'Стёртый клиент'])
    expect(nameOf({ ...gone, erased: false }, en)).toBe(en.unknown_person)
    expect(plain(render(ConversationRow, { props: { row: erased, selected: false } }))).toContain('>Erased client</b>')
    expect(plain(render(ConversationHeader, { props: { conversation: erased } }))).toContain('>Erased client</b>')
  })

  it('has content that was erased as the last that was said, not a letter without a subject', () => {
    const row = plain(render(ConversationRow, { props: { row: erased, selected: false } }))
    expect(row).toContain(en.privacy.content)
    expect(row).not.toContain(en.list.no_subject)
    const old = conversation({ subject: '', last_message: { ...last, erased: true } })
    expect(plain(render(ConversationRow, { props: { row: old, selected: false } }))).toContain(en.privacy.content)
    const other = conversation({ subject: '', last_message: last })
    expect(plain(render(ConversationRow, { props: { row: other, selected: false } }))).toContain(en.list.no_subject)
  })

  it('cannot be answered, and both languages say why', () => {
    expect([reasonIn('en', WHY), reasonIn('ru', WHY)]).toEqual([WHY, 'Клиент стёрт: писать некому'])
  })

  it('is not offered for merging, and has a card that nobody can fill in', () => {
    const person = (who: Customer) => ({ id: 'p1', moment: null, customer: who }) as never
    for (const [who, offered] of [[customer({}), false], [customer({ erased: false }), true]] as const) {
      expect(plain(render(CustomerMerging, { props: { customer: who } })).includes('data-testid="merge"')).toBe(offered)
      const card = plain(render(Card, { props: { person: person(who) } }))
      expect(['consent-add', 'card-more', 'card-vcf'].filter((id) => card.includes(`data-testid="${id}"`))).toEqual(offered ? ['consent-add', 'card-more', 'card-vcf'] : [])
    }
  })
})
