/** Which comes first, and which of two versions of the same thing is newer. Pure. */
import type { Conversation, Entry, StatusFilter } from '../api/types'

export function inLogOrder(a: Entry, b: Entry): number {
  return Date.parse(a.recorded_at) - Date.parse(b.recorded_at) || a.position - b.position || a.id.localeCompare(b.id)
}

/** An answer to a POST can come after the live update that overtook it. */
export function newerEntry(known: Entry | undefined, got: Entry): Entry {
  if (known?.delivery == null || got.delivery == null) return got
  return Date.parse(known.delivery.changed_at) > Date.parse(got.delivery.changed_at) ? known : got
}

export function newestFirst(a: Conversation, b: Conversation): number {
  return b.position - a.position || b.id.localeCompare(a.id)
}

/** `rows` with `got` merged in: newer versions win, what no longer belongs to `filter` is gone, newest change first. */
export function mergeRows(rows: readonly Conversation[], got: readonly Conversation[], filter: StatusFilter): Conversation[] {
  const byId = new Map(rows.map((row) => [row.id, row]))
  for (const row of got) if ((byId.get(row.id)?.position ?? -1) <= row.position) byId.set(row.id, row)
  return [...byId.values()].filter((row) => isListed(row) && (filter === 'all' || row.status === filter)).sort(newestFirst)
}

/** What goes on in another conversation is seen there, unless something happens in it again. */
function isListed(row: Conversation): boolean {
  return row.merged_into === null || row.status !== 'closed'
}

/** A row belongs to the loaded part of a paged list unless it is older than its end and more pages follow. */
export function withinLoaded(row: Conversation, rows: readonly Conversation[], more: boolean): boolean {
  const last = rows.at(-1)
  return !more || last === undefined || row.position >= last.position
}
