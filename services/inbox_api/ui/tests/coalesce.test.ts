import { expect, test } from 'vitest'
import { Coalescer } from '../src/lib/live/coalesce'

/** A job that is finished by hand. */
function jobs() {
  const finish: (() => void)[] = []
  const job = () => new Promise<void>((resolve) => finish.push(resolve))
  return { finish, job }
}

const settle = () => new Promise((resolve) => setTimeout(resolve))

test('many requests during a fetch make one more fetch after it', async () => {
  const { finish, job } = jobs()
  const coalescer = new Coalescer()
  void coalescer.request('list', job)
  const all = Promise.all([1, 2, 3].map(() => coalescer.request('list', job)))
  expect(finish).toHaveLength(1)
  finish[0]?.()
  await settle()
  expect(finish).toHaveLength(2)
  finish[1]?.()
  await all
  await settle()
  expect(finish).toHaveLength(2)
})

test('different resources do not wait for each other', () => {
  const { finish, job } = jobs()
  const coalescer = new Coalescer()
  void coalescer.request('list', job)
  void coalescer.request('messages', job)
  expect(finish).toHaveLength(2)
})

test('a failed fetch reaches the one who asked and does not stop the next', async () => {
  const coalescer = new Coalescer()
  let runs = 0
  const failing = coalescer.request('list', () => Promise.reject(new Error('refused')))
  const next = coalescer.request('list', async () => void runs++)
  await expect(failing).rejects.toThrow('refused')
  await next
  await coalescer.request('list', async () => void runs++)
  expect(runs).toBe(2)
})
