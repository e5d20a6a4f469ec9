/** What can be done with a message after it was said. The API does not tell what a channel can do, so its kinds stand here. Pure. */
import type { Entry } from './api/types'

const CHANGEABLE = ['telegram']
const ARRIVED = ['sent', 'delivered']
/** Those that Telegram lets a bot use. */
export const REACTIONS = ['👍', '❤', '🔥', '🎉', '😁', '🤔', '🙏', '👌', '👎']

export interface Abilities {
  edit: boolean
  delete: boolean
  react: boolean
  move: boolean
}

export function abilitiesOf({ direction, kind, channel, delivery, deleted_at }: Entry): Abilities {
  const changeable = CHANGEABLE.includes(channel?.kind ?? '') && kind === 'text' && !deleted_at
  const ours = changeable && direction === 'outbound' && ARRIVED.includes(delivery?.state ?? '')
  return { edit: ours, delete: ours, react: changeable && (direction === 'inbound' || ours), move: direction === 'inbound' }
}

export const canDoAnything = (abilities: Abilities): boolean => Object.values(abilities).some(Boolean)
