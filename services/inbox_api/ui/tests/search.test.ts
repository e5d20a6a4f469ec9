import { describe, expect, it } from 'vitest'
import { addressOf, byCustomer, type Hit } from '../src/lib/api/search'
import { commandOf } from '../src/lib/keys'

const HIT: Hit = {
  kind: 'text', id: 'm', customer_id: 'anna', customer: null, conversation_id: 'c', channel: null, direction: 'inbound', at: '', title: [], snippet: [], position: 1,
}

describe('search', () => {
  it('keeps the hits of a customer together, the customer of the newest first', () => {
    const hits = ['anna', 'boris', 'anna', null].map((customer_id, position) => ({ ...HIT, customer_id, position }))
    expect(byCustomer(hits).map(({ key, hits }) => [key, hits.map((hit) => hit.position)])).toEqual([
      ['anna', [0, 2]],
      ['boris', [1]],
      ['', [3]],
    ])
  })

  it('opens a hit where it stands', () => {
    expect(addressOf(HIT)).toBe('/c/c')
    expect(addressOf({ ...HIT, kind: 'customer', conversation_id: null })).toBe('/customers/anna')
    expect(addressOf({ ...HIT, kind: 'quarantine', conversation_id: null, customer_id: null })).toBe('/quarantine')
  })

  it('begins with the key that has the slash, on the Russian layout too', () => {
    const key = { code: 'Slash', key: '.', shiftKey: false, ctrlKey: false, metaKey: false, altKey: false }
    expect([commandOf({ ...key, key: '/' }), commandOf(key), commandOf({ ...key, shiftKey: true })]).toEqual(['search', 'search', 'help'])
  })
})
