/** A call's state in words: more than its one word where more is known. Pure. */
import type { Call } from './api/types'
import type { Texts } from './i18n/en'

export function callState(call: Pick<Call, 'state' | 'on_hold' | 'reported'>, words: Texts): string {
  if (call.state === 'answered' && call.on_hold) return words.call.on_hold
  const over = call.state !== 'ringing' && call.state !== 'answered'
  return over && call.reported === false ? `${words.call.state[call.state]} (${words.call.not_reported})` : words.call.state[call.state]
}
