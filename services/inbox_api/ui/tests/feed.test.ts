import { expect, test } from 'vitest'
import { Problem } from '../src/lib/api/problem'
import type { Entry, Page } from '../src/lib/api/types'
import { Feed } from '../src/lib/state/feed.svelte'
import { entry } from './examples'

const page = (...ids: string[]): Page<Entry> => ({ items: ids.map((id, at) => entry({ id, position: at + 1 })), next: null })
const shown = (feed: Feed) => feed.items.map(({ id }) => id)

/** A server that answers when it is told to. */
function slow() {
  const waiting: [(got: Page<Entry>) => void, (cause: unknown) => void][] = []
  const feed = new Feed(() => new Promise((resolve, reject) => waiting.push([resolve, reject])))
  return { feed, answer: (got: Page<Entry>) => waiting.shift()?.[0](got), fail: (cause: unknown) => waiting.shift()?.[1](cause) }
}

async function loaded(...ids: string[]) {
  const made = slow()
  const read = made.feed.refresh()
  made.answer(page(...ids))
  await read
  return made
}

test('what is read anew stays on screen until it is there', async () => {
  const { feed, answer } = await loaded('stays', 'goes')
  const read = feed.startAnew()
  expect(shown(feed)).toEqual(['stays', 'goes'])
  answer(page('stays', 'comes'))
  await read
  expect(shown(feed)).toEqual(['stays', 'comes'])
})

test('a read that was under way does not bring back what has gone', async () => {
  const { feed, answer } = await loaded('stays', 'goes')
  const before = feed.refresh()
  const anew = feed.startAnew()
  answer(page('stays', 'goes'))
  await before
  answer(page('stays'))
  await anew
  expect(shown(feed)).toEqual(['stays'])
})

test('what an action put there while all is read anew stays', async () => {
  const { feed, answer } = await loaded('first')
  const read = feed.startAnew()
  feed.put(entry({ id: 'mine', position: 9 }))
  answer(page('first'))
  await read
  expect(shown(feed)).toEqual(['first', 'mine'])
})

test('a failed read leaves all to be read anew', async () => {
  const { feed, answer, fail } = await loaded('stays', 'goes')
  const failing = feed.startAnew()
  fail(new Problem(503, 'away', null))
  await failing
  expect(shown(feed)).toEqual(['stays', 'goes'])
  const read = feed.refresh()
  answer(page('stays'))
  await read
  expect(shown(feed)).toEqual(['stays'])
})
