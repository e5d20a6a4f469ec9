/** A past moment, and which of its two meanings is shown. Pure. */
import type { Entry } from './api/types'
import { inLogOrder } from './state/order'

/** known: what we knew then; happened: what had happened by then, whenever we came to know of it. */
export const MEANINGS = ['known', 'happened'] as const
export type Meaning = (typeof MEANINGS)[number]

export interface Moment {
  /** RFC 3339. */
  at: string
  by: Meaning
}

/** The moment an address asks for; null is the present. */
export function momentOf(search: string): Moment | null {
  const asked = new URLSearchParams(search)
  const at = asked.get('as_of')
  return at === null || at === '' ? null : { at, by: asked.get('by') === 'happened' ? 'happened' : 'known' }
}

/** What an address or a request says of a moment; nothing for the present. */
export function momentFields(moment: Moment | null): { as_of?: string; by?: Meaning } {
  if (moment === null) return {}
  return moment.by === 'known' ? { as_of: moment.at } : { as_of: moment.at, by: moment.by }
}

export function pathAt(path: string, moment: Moment | null): string {
  return moment === null ? path : `${path}?${new URLSearchParams({ ...momentFields(moment) })}`
}

/** The order of a list goes by the same clock as the moment. */
export function orderOf(moment: Moment | null): (a: Entry, b: Entry) => number {
  return moment?.by === 'happened' ? inOrderOfHappening : inLogOrder
}

function inOrderOfHappening(a: Entry, b: Entry): number {
  return Date.parse(a.occurred_at) - Date.parse(b.occurred_at) || a.position - b.position
}
