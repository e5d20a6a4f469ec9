/** The Markdown an operator writes, as blocks of pieces for the window: no HTML is ever made of it. Pure. */
export interface Words {
  text: string
  bold: boolean
  italic: boolean
  code: boolean
  href: string | null
}

export interface Block {
  kind: 'paragraph' | 'heading' | 'item' | 'quote' | 'code'
  mark: string
  words: Words[]
}

const LINE = /^(?<fence>```)|^(?<heading>#{1,6})\s+|^\s*(?<item>[-*+]|\d{1,9}[.)])\s+|^(?<quote>>)\s?/
const INLINE = /`([^`\n]+)`|\[([^\]\n]+)\]\((https?:[^\s)]+|mailto:[^\s)]+)\)|(\*\*|__)(?=\S)([^\n]*?\S)\4(?!\*)|(?<![\p{L}\p{N}])([*_])(?=\S)([^\n]*?\S)\6(?![\p{L}\p{N}])|!\[([^\]\n]*)\]\(cid:[^\s)]+\)/u

export function blocks(text: string): Block[] {
  const found: Block[] = []
  let fenced = false
  let open = false
  for (const line of text.split('\n')) {
    const start = LINE.exec(line)
    if (start?.groups?.fence) {
      fenced = !fenced
      if (fenced) found.push({ kind: 'code', mark: '', words: [] })
      open = false
      continue
    }
    if (fenced) found.at(-1)?.words.push(plain(`${line}\n`))
    else if (line.trim() === '') open = false
    else open = addLine(found, line, start, open)
  }
  return found
}

/** A line without a mark goes on with what stands above it. */
function addLine(found: Block[], line: string, start: RegExpExecArray | null, open: boolean): boolean {
  const { heading, item, quote } = start?.groups ?? {}
  const rest = line.slice(start?.[0].length ?? 0)
  const last = found.at(-1)
  const goesOn = open && last && (quote ? last.kind === 'quote' : !heading && !item)
  if (goesOn) last.words.push(plain('\n'), ...words(rest))
  else if (heading) found.push({ kind: 'heading', mark: heading, words: words(rest) })
  else if (item) found.push({ kind: 'item', mark: /\d/.test(item) ? item : '•', words: words(rest) })
  else found.push({ kind: quote ? 'quote' : 'paragraph', mark: '', words: words(rest) })
  return !heading
}

function words(text: string, bold = false, italic = false): Words[] {
  const match = INLINE.exec(text)
  if (!match) return text === '' ? [] : [{ ...plain(text), bold, italic }]
  const [all, code, label, href, , strong, , slanted, picture] = match
  const before = text.slice(0, match.index)
  const inner =
    code !== undefined ? [{ ...plain(code), bold, italic, code: true }]
    : label !== undefined ? [{ ...plain(label), bold, italic, href: href ?? null }]
    : strong !== undefined ? words(strong, true, italic)
    : picture !== undefined ? [{ ...plain(`🖼 ${picture}`), bold, italic }]
    : words(slanted ?? '', bold, true)
  const head = before === '' ? [] : [{ ...plain(before), bold, italic }]
  return [...head, ...inner, ...words(text.slice(match.index + all.length), bold, italic)]
}

const plain = (text: string): Words => ({ text, bold: false, italic: false, code: false, href: null })
