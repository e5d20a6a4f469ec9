import { expect, test } from 'vitest'
import { once } from '../src/lib/once'

test('what is asked again while it is under way is done once, and afterwards again', async () => {
  const asked: string[] = []
  let finish: (answer: string) => void = () => {}
  const act = once((what: string) => {
    asked.push(what)
    return new Promise<string>((resolve) => (finish = resolve))
  })
  const both = [act('first'), act('second')]
  finish('done')
  expect(await Promise.all(both)).toEqual(['done', 'done'])
  void act('third')
  expect(asked).toEqual(['first', 'third'])
})

test('what failed can be asked again', async () => {
  let times = 0
  const act = once(async () => {
    times++
    throw new Error('refused')
  })
  await expect(act()).rejects.toThrow('refused')
  await expect(act()).rejects.toThrow('refused')
  expect(times).toBe(2)
})
