/** Fetching a list that is paged newest first: what is new until it joins what is loaded, or all down to a place. */
import type { Page } from '../api/types'

const MOST_PAGES = 10

export interface CaughtUp<T> {
  items: T[]
  /** False: so much is new that the loaded part no longer touches it; `next` goes on from `items`. */
  joined: boolean
  next: string | null
}

/**
 * Reads pages from the newest on, until one contains an item that `settled` calls already known and every id in
 * `wanted` was seen (a delivery report changes an old message), or the list ends.
 */
export async function catchUp<T extends { id: string }>(
  fetchPage: (cursor: string | null) => Promise<Page<T>>,
  settled: (item: T) => boolean,
  wanted: ReadonlySet<string> = new Set(),
  mostPages = MOST_PAGES,
): Promise<CaughtUp<T>> {
  const items: T[] = []
  const missing = new Set(wanted)
  let joined = false
  let cursor: string | null = null
  for (let page = 0; page < mostPages; page++) {
    const got: Page<T> = await fetchPage(cursor)
    items.push(...got.items)
    got.items.forEach((item) => missing.delete(item.id))
    joined ||= got.items.some(settled)
    cursor = got.next
    if (cursor === null) return { items, joined: true, next: null }
    if (joined && missing.size === 0) break
  }
  return { items, joined, next: cursor }
}

/** Reads pages from the newest on, until one goes beyond what `isBeyond` tells, or the list ends. */
export async function readDown<T>(fetchPage: (cursor: string | null) => Promise<Page<T>>, isBeyond: (item: T) => boolean): Promise<Page<T>> {
  let page = await fetchPage(null)
  const items = [...page.items]
  while (page.next !== null && !page.items.some(isBeyond)) {
    page = await fetchPage(page.next)
    items.push(...page.items)
  }
  return { items, next: page.next }
}
