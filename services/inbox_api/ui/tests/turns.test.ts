import { expect, test, vi } from 'vitest'
import { CARD_MILLISECONDS, Turns } from '../src/lib/live/turns'

/** Work that is finished by hand, and what was followed in the meantime. */
function turns(isHidden = () => false) {
  const followed: string[] = []
  let finish: () => void = () => {}
  const work = new Promise<void>((resolve) => (finish = resolve))
  return { followed, finish: () => finish(), work, turns: new Turns<string>((item) => followed.push(item), isHidden) }
}

const settle = () => vi.advanceTimersByTimeAsync(1)

test('what came in one breath with a call waits until its card is there', async () => {
  vi.useFakeTimers()
  const { followed, finish, work, turns: queue } = turns()
  queue.after('opened')
  queue.first(work)
  queue.after('call')
  await settle()
  expect(followed).toEqual([])
  finish()
  await settle()
  expect(followed).toEqual(['opened', 'call'])
})

test('a card that takes too long holds up nothing', async () => {
  vi.useFakeTimers()
  const { followed, work, turns: queue } = turns()
  queue.first(work)
  queue.after('call')
  await vi.advanceTimersByTimeAsync(CARD_MILLISECONDS)
  expect(followed).toEqual(['call'])
})

test('without a call things are followed at once and in order', async () => {
  vi.useFakeTimers()
  const { followed, turns: queue } = turns()
  queue.after('one')
  queue.after('two')
  await settle()
  expect(followed).toEqual(['one', 'two'])
  queue.after('three')
  await settle()
  expect(followed).toEqual(['one', 'two', 'three'])
})

test('in a hidden window nothing waits', () => {
  const { followed, work, turns: queue } = turns(() => true)
  queue.first(work)
  queue.after('call')
  expect(followed).toEqual(['call'])
})
