/** The messages of a conversation as they were at a past moment. Pure. */
import type { Entry } from './api/types'

/**
 * Leaves out what was recorded after `asOf`. A delivery that changed later is shown as `then` (the timeline as of that
 * moment) knows it, else not at all: nothing is shown that was not known.
 */
export function asOfMessages(entries: readonly Entry[], asOf: string | null, then: readonly Entry[]): Entry[] {
  if (asOf === null) return [...entries]
  const limit = Date.parse(asOf)
  const known = new Map(then.map((entry) => [entry.id, entry]))
  return entries
    .filter((entry) => Date.parse(entry.recorded_at) <= limit)
    .map((entry) => known.get(entry.id) ?? withoutLater(entry, limit))
}

function withoutLater(entry: Entry, limit: number): Entry {
  return entry.delivery && Date.parse(entry.delivery.changed_at) > limit ? { ...entry, delivery: null } : entry
}
