/** What an entry of a timeline that is no message says, in the language of the window. */
import type { Entry } from '../api/types'
import { L } from '../i18n/index.svelte'
import { reasonIn } from '../i18n/reasons'
import { dateTime } from '../time'
import { changeText } from './reading.svelte'

export function toldBy(entry: Entry): string {
  if (entry.changes) return entry.changes.map((each) => changeText(each)).join('; ')
  if (entry.consent) return `${entry.consent.for}: ${L.t.card.consent[entry.consent.state]}`
  if (entry.kind === 'tagged') return tags(entry)
  if (entry.kind === 'snoozed' && entry.until) return L.t.past.until(dateTime(entry.until, L.locale))
  if (entry.kind === 'reach') return reasonIn(L.language, entry.text)
  return entry.kind.startsWith('step_') ? step(entry) : entry.text
}

const tags = ({ added = [], removed = [] }: Entry): string => [...added.map((tag) => `+ ${tag}`), ...removed.map((tag) => `− ${tag}`)].join(', ')

function step({ kind, text, due_at }: Entry): string {
  const what = L.t.steps.known[text] ?? text
  return due_at && ['step_planned', 'step_postponed'].includes(kind) ? `${what}, ${dateTime(due_at, L.locale)}` : what
}
