/** Splits a message's text into plain pieces and web or mail links. Only http, https and mailto become links. */
export interface Piece {
  text: string
  href: string | null
}

const LINK = /\bhttps?:\/\/[^\s<>"«»]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+/giu
const TRAILING = /[.,;:!?)\]}'"]+$/u

export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(LINK)) {
    const link = match[0].replace(TRAILING, '')
    if (match.index > from) found.push({ text: text.slice(from, match.index), href: null })
    found.push({ text: link, href: /^https?:/i.test(link) ? link : `mailto:${link}` })
    from = match.index + link.length
  }
  if (from < text.length) found.push({ text: text.slice(from), href: null })
  return found
}
