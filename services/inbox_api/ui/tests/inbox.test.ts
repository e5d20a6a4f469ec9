import { expect, test, vi } from 'vitest'
import type { Conversation } from '../src/lib/api/types'
import { conversation } from './examples'

vi.stubGlobal('localStorage', { getItem: () => null })
vi.stubGlobal('navigator', { language: 'en-GB', userAgent: '' })
const { inbox } = await import('../src/lib/state/inbox.svelte')

/** A server with these conversations, the newest first; what it was asked is noted. */
function served(rows: Conversation[]): string[] {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (address: string) => {
    const query = new URL(address, 'http://okno.example').searchParams
    asked.push(query.get('cursor') ?? 'newest')
    const from = query.has('cursor') ? rows.findIndex(({ position }) => position < Number(query.get('cursor'))) : 0
    const items = rows.slice(from, from + Number(query.get('limit') ?? 50))
    const last = items.at(-1)
    return new Response(JSON.stringify({ items, next: last && last !== rows.at(-1) ? String(last.position) : null }))
  })
  return asked
}

const many = (newest: number, oldest = 1) =>
  Array.from({ length: newest - oldest + 1 }, (_, index) => conversation({ id: `c${newest - index}`, position: newest - index }))

async function loaded(rows: Conversation[]): Promise<void> {
  served(rows)
  inbox.show('all')
  await inbox.reload()
  while (inbox.next !== null) await inbox.loadMore()
}

test('a list that is read anew reaches down to where the operator looks, and no further than its page', async () => {
  await loaded(many(1000))
  inbox.lowest = 480
  const asked = served(many(1100).filter(({ position }) => position !== 900))
  await inbox.reload()
  expect(inbox.rows.at(0)?.position).toBe(1100)
  expect(inbox.rows.at(-1)?.position).toBeLessThan(480)
  expect(inbox.find('c900')).toBeUndefined()
  expect(asked).toEqual(['newest', '1051', '850', '650'])
})

test('who looks at the beginning has one page of the list read anew', async () => {
  await loaded(many(300))
  inbox.lowest = Infinity
  const asked = served(many(301))
  await inbox.reload()
  expect([asked, inbox.rows.length, inbox.next]).toEqual([['newest'], 50, '252'])
})

test('more than can be caught up with leaves the operator where they are', async () => {
  await loaded(many(200))
  inbox.lowest = 100
  const now = many(1000)
  served(now)
  await inbox.refresh()
  expect(inbox.rows.slice(0, 901)).toEqual(now.slice(0, 901))
})
