import type { Entry } from '../api/types'

/** What a client wrote comes first, then the other answers of a form: an excerpt is cut after a few lines. */
export function excerpt({ text, fields }: Pick<Entry, 'text' | 'fields'>): string {
  const answers = fields ?? []
  const others = answers.filter(([, value]) => value !== text).map(([name, value]) => `${name}: ${value}`)
  return [...(text ? [text] : []), ...others].join('\n')
}
