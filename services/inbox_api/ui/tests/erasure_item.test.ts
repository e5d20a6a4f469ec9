import { render } from 'svelte/server'
import { describe, expect, it, vi } from 'vitest'
import type { Erasure } from '../src/lib/api/privacy'
import * as en from '../src/lib/i18n/privacy_pages.en'
import * as ru from '../src/lib/i18n/privacy_pages.ru'

vi.stubGlobal('localStorage', { getItem: () => null })
vi.stubGlobal('navigator', { language: 'en-GB' })
const { default: ErasureItem } = await import('../src/parts/ErasureItem.svelte')

const erasure: Erasure = {
  id: 'e1', kind: 'customer', subject_id: '01989d00-0000-8000-8000-00000f3c2b1a', until: null, reason: '', requested_by: 'olga@okno.example',
  requested_at: '2026-11-22T10:00:00Z', state: 'recorded', problem: '', finished_at: null, certificate: null,
}
const shown = (changes: Partial<Erasure>, t = en.texts) => render(ErasureItem, { props: { erasure: { ...erasure, ...changes }, channel: 'Support', t } }).body.replace(/<!--.*?-->/g, '')

describe('an erasure on the page of privacy', () => {
  it('says what keeps it from going on, in both languages', () => {
    const problem = 'NoProjection: replay/notes.db is no SQLite file'
    expect(shown({ problem })).toContain(`${en.texts.erasures.problem} ${problem}`)
    expect(shown({ problem }, ru.texts)).toContain(`${ru.texts.erasures.problem} ${problem}`)
  })

  it('says nothing of problems where there is none', () => {
    expect(shown({})).not.toContain('erasure-problem')
  })

  it('shows markup in a problem as text', () => {
    expect(shown({ problem: '<img src=x onerror=alert(1)>' })).not.toContain('<img')
  })

  it('names the channel, the client, or how many clients lost keys', () => {
    expect(shown({})).toContain('0f3c2b1a</a>')
    expect(shown({ kind: 'retention', until: '2026-10-01T00:00:00Z' })).toContain('Support, recorded before')
    const certificate = { destroyed: { keys: 0, events: 4, files: 0 }, customers: ['a', 'b'] }
    expect(shown({ kind: 'lost', certificate })).toContain('2 clients')
  })
})
