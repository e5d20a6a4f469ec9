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
  const at = withZone(asked.get('as_of') ?? '')
  return at === '' ? null : { at, by: asked.get('by') === 'happened' ? 'happened' : 'known' }
}

const DAY = String.raw`\d{4}-\d\d-\d\d`
const TIME = String.raw`T\d\d:\d\d(:\d\d(\.\d+)?)?`
const WITHOUT_ZONE = new RegExp(`^${DAY}${TIME}$`)
const READABLE = new RegExp(`^${DAY}(${TIME}(Z|[+-]\\d\\d:\\d\\d))?$`)

/** As the API reads what was typed by hand: UTC where no zone is said, so that a link means one moment everywhere. */
function withZone(at: string): string {
  const typed = at.replace(' ', '+')
  return WITHOUT_ZONE.test(typed) ? `${typed}Z` : typed
}

/** The moment in milliseconds; null for what only the server may be able to read. */
export function timeOf({ at }: Moment): number | null {
  const time = READABLE.test(at) ? Date.parse(at) : NaN
  return Number.isNaN(time) ? null : time
}

/** What an address or a request says of a moment; nothing for the present. */
export function momentFields(moment: Moment | null): { as_of?: string; by?: Meaning } {
  if (moment === null) return {}
  return moment.by === 'known' ? { as_of: moment.at } : { as_of: moment.at, by: moment.by }
}

/** The address of a page at a moment, with what else stands in it. */
export function pathAt(path: string, moment: Moment | null, further: Record<string, string> = {}): string {
  const asked = new URLSearchParams({ ...momentFields(moment), ...further }).toString()
  return asked === '' ? path : `${path}?${asked}`
}

/** The order of a list goes by the same clock as the moment. */
export function orderOf(moment: Moment | null): (a: Entry, b: Entry) => number {
  return moment?.by === 'happened' ? inOrderOfHappening : inLogOrder
}

function inOrderOfHappening(a: Entry, b: Entry): number {
  return Date.parse(a.occurred_at) - Date.parse(b.occurred_at) || a.position - b.position
}
