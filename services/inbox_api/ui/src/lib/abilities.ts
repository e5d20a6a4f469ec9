/** What can be done with a message after it was said; what its channel can do the API tells. Pure. */
import type { ChannelAbilities, Entry } from './api/types'

const ARRIVED = ['sent', 'delivered']
/** Those that Telegram lets a bot use. */
export const REACTIONS = ['👍', '❤', '🔥', '🎉', '😁', '🤔', '🙏', '👌', '👎']

export interface Abilities {
  answer: boolean
  edit: boolean
  delete: boolean
  react: boolean
  move: boolean
}

export function abilitiesOf({ direction, kind, delivery, deleted_at }: Entry, can: ChannelAbilities | null): Abilities {
  const there = kind === 'text' && !deleted_at
  const ours = there && direction === 'outbound' && ARRIVED.includes(delivery?.state ?? '')
  const said = there && (direction === 'inbound' || ours)
  return {
    answer: said && !!can?.threads,
    edit: ours && !!can?.edits,
    delete: ours && !!can?.edits,
    react: said && !!can?.reacts,
    move: direction === 'inbound',
  }
}

export const canDoAnything = (abilities: Abilities): boolean => Object.values(abilities).some(Boolean)
