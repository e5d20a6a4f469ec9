/** The page shown for a mail's HTML, in a frame that runs nothing. The server has made it safe already (no scripts, no
 *  forms, no styles that load); here only addresses are put in. Pure. */

const TAG = /<([a-z][a-z0-9]*)((?:\s+[^\s="<>/]+(?:="[^"]*")?)*)\s*\/?>/g
const ATTRIBUTE = /\s+([^\s="<>/]+)(?:="([^"]*)")?/g
/** The window's own policy reaches into the frame and bans style attributes, not styles set by the window. */
export const STYLE = 'data-style'
export const REMOTE = 'data-remote-src'

export interface Picture {
  name: string | null
  url: string | null
  content_id?: string | null
}

const OUTSIDE = new RegExp(`<img(?=\\s)[^>]*?\\s(?:${REMOTE}|src)="https?:`, 'i')

/** Whether anything is left out until it is asked for. */
export const hasRemote = (html: string): boolean => OUTSIDE.test(html)

export function mailPage(html: string, pictures: readonly Picture[], remote: boolean): string {
  const body = html.replace(TAG, (_, tag: string, attributes: string) => `<${tag}${rewritten(tag, attributes, pictures, remote)}>`)
  return `<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy(remote)}"><base target="_blank"></head><body>${body}</body></html>`
}

const policy = (remote: boolean): string =>
  `default-src 'none'; img-src 'self' data:${remote ? ' https: http:' : ''}; style-src 'unsafe-inline'`

function rewritten(tag: string, attributes: string, pictures: readonly Picture[], remote: boolean): string {
  const kept: string[] = []
  for (const [, name = '', value] of attributes.matchAll(ATTRIBUTE)) {
    if (name === 'target' || name === 'rel' || name === 'srcset' || /^on/i.test(name)) continue
    if (name === 'style') kept.push(`${STYLE}="${value ?? ''}"`)
    else if (tag === 'img' && (name === 'src' || name === REMOTE)) kept.push(...source(value ?? '', pictures, remote))
    else kept.push(value === undefined ? name : `${name}="${value}"`)
  }
  if (tag === 'a') kept.push('target="_blank"', 'rel="noopener noreferrer nofollow"')
  return kept.map((each) => ` ${each}`).join('')
}

/** Only what came with the mail is loaded by itself. Mails taken in long ago name what is outside in `src`. */
function source(src: string, pictures: readonly Picture[], remote: boolean): string[] {
  if (/^https?:/i.test(src)) return [remote ? `src="${src}"` : `${REMOTE}="${src}"`]
  if (!/^cid:/i.test(src)) return []
  const id = decoded(src.slice(4))
  const found = pictures.find((each) => each.content_id && bare(each.content_id) === id) ?? pictures.find((each) => isNamedBy(id, each.name))
  return found?.url ? [`src="${found.url}"`] : []
}

const bare = (id: string): string => id.replace(/^<|>$/g, '')

/** Outlook and others make the id from the file's name: image001.png@01D9.5E. */
const isNamedBy = (id: string, name: string | null): boolean => !!name && (id === name || id.startsWith(`${name}@`))

function decoded(id: string): string {
  const plain = id.replaceAll('&amp;', '&')
  try {
    return decodeURIComponent(plain)
  } catch {
    return plain
  }
}
