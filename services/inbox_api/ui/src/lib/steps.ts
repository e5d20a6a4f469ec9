/** Next steps in order, and how many are due. Pure. */
import type { Step } from './api/types'

/** `known` with `got` merged in: newer versions win, what has ended is gone, so is what `whole` covers and `got` lacks. */
export function mergeSteps(known: readonly Step[], got: readonly Step[], whole: (step: Step) => boolean): Step[] {
  const byId = new Map(known.map((step) => [step.id, step]))
  const there = new Set(got.map(({ id }) => id))
  for (const step of known) if (whole(step) && !there.has(step.id)) byId.delete(step.id)
  for (const step of got) if ((byId.get(step.id)?.position ?? -1) <= step.position) byId.set(step.id, step)
  return [...byId.values()].filter(({ state }) => state === 'planned').sort(soonestFirst)
}

export const soonestFirst = (a: Step, b: Step): number => Date.parse(a.due_at) - Date.parse(b.due_at) || a.id.localeCompare(b.id)

export const isDue = (step: Step, now: number): boolean => Date.parse(step.due_at) <= now

/** Where today ends: midnight where the operator is. */
export function endOfDay(now: number): number {
  const day = new Date(now)
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime()
}

export type DueGroup = 'overdue' | 'today' | 'later'

/** Steps by when they are due, in their order. */
export function grouped(steps: readonly Step[], now: number): Record<DueGroup, Step[]> {
  const groups: Record<DueGroup, Step[]> = { overdue: [], today: [], later: [] }
  for (const step of steps) groups[isDue(step, now) ? 'overdue' : Date.parse(step.due_at) < endOfDay(now) ? 'today' : 'later'].push(step)
  return groups
}

export const dueCount = (steps: readonly Step[], now: number): number => steps.filter((step) => isDue(step, now)).length

export type StepCommand = 'done' | 'postpone' | 'decline' | 'open' | 'next' | 'previous'

const KEYS: Record<string, StepCommand> = {
  KeyD: 'done', KeyP: 'postpone', KeyX: 'decline', Enter: 'open', ArrowDown: 'next', ArrowUp: 'previous',
}

/** By its place on the keyboard, like all keys of the window. */
export function stepCommand(key: Pick<KeyboardEvent, 'code' | 'shiftKey' | 'ctrlKey' | 'metaKey' | 'altKey'>): StepCommand | null {
  return key.shiftKey || key.ctrlKey || key.metaKey || key.altKey ? null : (KEYS[key.code] ?? null)
}
