/** The message that has the focus, and what a key does to it. The arrows move the focus over the messages on screen. */
export interface MessageActions {
  move: () => void
  split: () => void
}

const actions = new Map<string, MessageActions>()

/** Says what can be done with a message while it is on screen; returns what takes that back. */
export function offer(message: string, offered: MessageActions): () => void {
  actions.set(message, offered)
  return () => void actions.delete(message)
}

/** Moves the focus to the next message up or down; from elsewhere, to the last one. */
export function pick(by: 1 | -1): void {
  const all = [...document.querySelectorAll<HTMLElement>('[data-testid=messages] [data-testid=message]')]
  const at = all.findIndex((each) => each.contains(document.activeElement))
  const next = at < 0 ? all.at(-1) : all[Math.max(0, Math.min(all.length - 1, at + by))]
  next?.focus({ preventScroll: true })
  next?.scrollIntoView({ block: 'nearest' })
}

/** Does something to the message that has the focus; false when none of the client's has it. */
export function actOnPicked(what: keyof MessageActions): boolean {
  const id = document.activeElement?.closest<HTMLElement>('[data-testid=message]')?.dataset.id
  const found = id === undefined ? undefined : actions.get(id)
  found?.[what]()
  return found !== undefined
}
