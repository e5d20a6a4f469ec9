import { expect, test } from 'vitest'
import { hasRemote, mailPage } from '../src/lib/text/mail_html'

const bodyOf = (page: string) => /<body>(.*)<\/body>/s.exec(page)?.[1]
const logo = { name: 'logo.png', url: '/api/v1/attachments/a1', content_id: '<logo@shop>' }

test('an inline picture is taken from our own files, by its id or its name', () => {
  expect(bodyOf(mailPage('<img src="cid:logo@shop" alt="Logo">', [logo], false))).toBe('<img src="/api/v1/attachments/a1" alt="Logo">')
  const unnamed = { name: 'image001.png', url: '/api/v1/attachments/a2' }
  expect(bodyOf(mailPage('<img src="cid:image001.png@01D9.5E">', [logo, unnamed], false))).toBe('<img src="/api/v1/attachments/a2">')
  expect(bodyOf(mailPage('<img src="cid:nobody@else">', [logo], false))).toBe('<img>')
})

test('nothing is loaded from outside until it is asked for', () => {
  const html = '<img data-remote-src="https://news.example/a.gif?x=1&amp;y=2" width="1"><img src="https://news.example/b.gif">'
  expect([hasRemote(html), hasRemote('<img alt="" src="https://a.example/b">'), hasRemote('<img src="cid:a"> src="https:')]).toEqual([true, true, false])
  expect(mailPage(html, [], false)).not.toMatch(/ src=/)
  expect(mailPage(html, [], false)).toContain("img-src 'self' data:;")
  const asked = mailPage(html, [], true)
  expect(bodyOf(asked)).toBe('<img src="https://news.example/a.gif?x=1&amp;y=2" width="1"><img src="https://news.example/b.gif">')
  expect(asked).toContain("img-src 'self' data: https: http:;")
})

test('what is hidden behind an image address is never loaded', () => {
  expect(mailPage('<img data-remote-src="javascript:alert(1)"><img src="data:text/html,x">', [], true)).not.toMatch(/ src=/)
})

test('links open elsewhere, styles are kept aside, handlers are dropped', () => {
  const html = '<a href="https://a.example/" target="_self" rel="opener" style="color:red" onclick="x()">a</a>'
  expect(bodyOf(mailPage(html, [], false))).toBe(
    '<a href="https://a.example/" data-style="color:red" target="_blank" rel="noopener noreferrer nofollow">a</a>',
  )
})

test('words that look like attributes stay words', () => {
  expect(bodyOf(mailPage('<p>say style="x" src="y" to 1 &lt; 2 &lt;img src="z"&gt;</p>', [], true))).toBe(
    '<p>say style="x" src="y" to 1 &lt; 2 &lt;img src="z"&gt;</p>',
  )
})
