import { expect, test } from 'vitest'
import { Typist } from '../src/lib/typist'

const key = (key: string, timeStamp: number) => ({ key, timeStamp, ctrlKey: false, metaKey: false, altKey: false })

test('who is writing when the box is taken away gives no commands until they pause', () => {
  const typist = new Typist()
  const box = { isConnected: true }
  typist.wrote(box, key('a', 0))
  expect(typist.writesOn(key('e', 100))).toBe(false)
  box.isConnected = false
  expect([200, 1500, 2500].map((at) => typist.writesOn(key('e', at)))).toEqual([true, true, true])
  expect(typist.writesOn(key('e', 4500))).toBe(false)
})

test('who has left the box by Escape or Enter, which took it away, may command at once', () => {
  const typist = new Typist()
  const box = { isConnected: false }
  typist.wrote(box, key('a', 0))
  typist.wrote(box, key('Escape', 50))
  expect(typist.writesOn(key('e', 100))).toBe(false)
})
