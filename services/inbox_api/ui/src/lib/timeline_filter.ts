/** What of a timeline is shown. Pure. */

export const GROUPS = ['text', 'call', 'form', 'note', 'assigned', 'status', 'delivery', 'step', 'other'] as const
export type Group = (typeof GROUPS)[number]

/** The kinds that the API is asked for; a kind stands also for those that it is the beginning of. */
export const KINDS: Record<Group, string> = {
  text: 'text',
  call: 'call',
  form: 'form',
  note: 'note',
  assigned: 'assigned',
  status: 'opened,closed,reopened,snoozed,tagged',
  delivery: 'delivery',
  step: 'step',
  other: 'action,moved,reach,renamed,deleted,reacted,identity,merged,card,consent,retired,restored,erased',
}

export interface TimelineFilter {
  group: Group | ''
  channel: string
  /** customer, operator, system, or the id of an operator. */
  author: string
  /** Local days as a date field has them, both included. */
  from: string
  to: string
}

export const NO_FILTER: TimelineFilter = { group: '', channel: '', author: '', from: '', to: '' }

export const isFiltered = (filter: TimelineFilter): boolean => Object.values(filter).some((value) => value !== '')

export const isSame = (one: TimelineFilter, other: TimelineFilter): boolean =>
  (Object.keys(NO_FILTER) as (keyof TimelineFilter)[]).every((name) => one[name] === other[name])

/** The filter that an address says; what is no kind is none, what is no day is none. */
export function filterOf(search: string): TimelineFilter {
  const asked = new URLSearchParams(search)
  const [channel, author, from, to] = ['channel', 'author', 'from', 'to'].map((name) => asked.get(name) ?? '') as [string, string, string, string]
  return { group: GROUPS.find((group) => group === asked.get('kind')) ?? '', channel, author, from: dayOf(from), to: dayOf(to) }
}

/** A day as a date field shows it: 31 February it would leave empty, and the timeline would be filtered all the same. */
function dayOf(text: string): string {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text) ? text : ''
}

/** What an address says of a filter; nothing where all is shown. */
export function addressFields({ group, ...rest }: TimelineFilter): Record<string, string> {
  return Object.fromEntries(Object.entries({ kind: group, ...rest }).filter(([, value]) => value !== ''))
}

/** The filter as the API's query has it. */
export function filterFields(filter: TimelineFilter): Record<string, string> {
  return {
    kind: filter.group === '' ? '' : KINDS[filter.group],
    channel: filter.channel,
    author: filter.author,
    since: startOf(filter.from, 0),
    until: startOf(filter.to, 1),
  }
}

/** Midnight before or after a local day; nothing for what is no day yet. */
function startOf(day: string, later: number): string {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number)
  if (year < 1900 || year >= 9999 || month === 0 || date === 0) return ''
  return new Date(new Date(year, month - 1, date + later).getTime() - later).toISOString()
}
