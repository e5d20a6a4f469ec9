import { expect, test } from 'vitest'
import { once } from '../src/lib/once'

test('what is asked again while it is under way is done once, and afterwards again', async () => {
  const asked: string[] = []
  let finish: (answer: string) => void = () => {}
  const act = once((what: string) => {
    asked.push(what)
    return new Promise<string>((resolve) => (finish = resolve))
  })
  const both = [act('first'), act('first')]
  finish('done')
  expect(await Promise.all(both)).toEqual(['done', 'done'])
  void act('first')
  expect(asked).toEqual(['first', 'first'])
})

test('what is asked for something else meanwhile is done too, and has an answer of its own', async () => {
  const asked: [string, string][] = []
  const act = once(async (to: string, line: string) => {
    asked.push([to, line])
    return line
  })
  expect(await Promise.all([act('+7916', 'Moscow'), act('+7916', 'Kazan'), act('+7916', 'Moscow')])).toEqual(['Moscow', 'Kazan', 'Moscow'])
  expect(asked).toEqual([['+7916', 'Moscow'], ['+7916', 'Kazan']])
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
