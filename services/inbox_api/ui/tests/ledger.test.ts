import { expect, it } from 'vitest'
import { ledgerTexts as en } from '../src/lib/i18n/ledger.en'
import { ledgerTexts as ru } from '../src/lib/i18n/ledger.ru'

it('names the columns of replies so that none is taken for what still waits, in both languages', () => {
  for (const [texts, word] of [[en, /^Replies/], [ru, /^(Ответов|Судьба ответа)/]] as const) {
    const { asked, sent, failed, unknown } = texts.columns
    for (const heading of [asked, sent, failed, unknown]) expect(heading).toMatch(word)
  }
})

it('says that a reply to a form stands at the mailbox that it leaves by', () => {
  expect(en.replies).toContain('those to a form at the mailbox')
  expect(ru.replies).toContain('ответы на форму — у почты')
})
