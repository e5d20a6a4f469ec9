/** Which window shows a call, and when: the responsible operator's first, then everybody's while it rings on. Pure. */
import type { Call, Conversation, Operator } from './api/types'

export type When = 'now' | 'later' | 'never'
/** So long a call rings for who is responsible alone. */
export const LATER_MILLISECONDS = 5_000

/** Who is responsible for a caller: of this conversation, else of the one changed last that is not closed. */
export function responsible(conversation: Conversation, others: readonly Conversation[]): Conversation['assignee'] {
  const last = [...others].sort((a, b) => b.position - a.position).find(({ assignee, status }) => assignee !== null && status !== 'closed')
  return conversation.assignee ?? last?.assignee ?? null
}

/** `telephone`: where this operator is rung, empty when not known. */
export function whenToShow(call: Call, who: Conversation['assignee'], me: Operator, telephone: string): When {
  if (me.role === 'analyst') return 'never'
  const ringsMe = telephone !== '' && (call.legs ?? []).some(({ to, state }) => to === telephone && state !== 'ended')
  if (ringsMe || who === null || who.id === me.id) return 'now'
  return call.direction === 'inbound' ? 'later' : 'never'
}
