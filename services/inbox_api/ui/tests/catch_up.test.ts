import { expect, test } from 'vitest'
import { catchUp } from '../src/lib/live/catch_up'

/** Pages of two over ids, newest first, as the API gives them. */
function pagesOf(ids: string[]) {
  const asked: (string | null)[] = []
  const fetchPage = async (cursor: string | null) => {
    asked.push(cursor)
    const from = cursor === null ? 0 : Number(cursor)
    const next = from + 2 < ids.length ? String(from + 2) : null
    return { items: ids.slice(from, from + 2).map((id) => ({ id })), next }
  }
  return { asked, fetchPage }
}

test('one page is enough when it touches what is known', async () => {
  const { asked, fetchPage } = pagesOf(['e', 'd', 'c', 'b', 'a'])
  const got = await catchUp(fetchPage, ({ id }) => id === 'd')
  expect(got).toEqual({ items: [{ id: 'e' }, { id: 'd' }], joined: true, next: '2' })
  expect(asked).toEqual([null])
})

test('reads on until the new part joins the known part', async () => {
  const { fetchPage } = pagesOf(['e', 'd', 'c', 'b', 'a'])
  const got = await catchUp(fetchPage, ({ id }) => id === 'b')
  expect(got.items.map(({ id }) => id)).toEqual(['e', 'd', 'c', 'b'])
})

test('reads as far back as a changed old message', async () => {
  const { asked, fetchPage } = pagesOf(['e', 'd', 'c', 'b', 'a'])
  await catchUp(fetchPage, ({ id }) => id === 'd', new Set(['a']))
  expect(asked).toEqual([null, '2', '4'])
})

test('says when so much is new that a hole would remain', async () => {
  const { fetchPage } = pagesOf(['f', 'e', 'd', 'c', 'b', 'a'])
  const got = await catchUp(fetchPage, ({ id }) => id === 'a', new Set(), 2)
  expect(got).toMatchObject({ joined: false, next: '4' })
})
