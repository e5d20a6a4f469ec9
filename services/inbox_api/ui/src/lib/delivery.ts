/** What became of a message of ours, in one word and with the reasons told. Pure. */
import type { Delivery, DeliveryNotice, DeliveryState } from './api/types'

export interface Fate {
  state: DeliveryState | 'read' | 'delayed'
  complained: boolean
  reasons: string[]
}

export function fateOf({ state, error, notices = [] }: Delivery): Fate {
  const said = (wanted: DeliveryNotice['state']) => notices.some((notice) => notice.state === wanted)
  const reached = state === 'sent' || state === 'delivered' || state === 'unknown'
  const shown = reached && said('read') ? 'read' : state === 'sent' && said('delayed') ? 'delayed' : state
  const told = notices.filter((notice) => notice.state === 'bounced' || notice.state === 'complained' || (notice.state === 'delayed' && shown === 'delayed'))
  const unsaid = error !== null && !told.some((notice) => reasonOf(notice).includes(error)) ? [error] : []
  return { state: shown, complained: said('complained'), reasons: [...new Set([...told.map(reasonOf).filter(Boolean), ...unsaid])] }
}

const reasonOf = ({ recipient, code, error }: DeliveryNotice): string => {
  const why = error && code && !error.includes(code) ? `${code} ${error}` : (error ?? code ?? '')
  return recipient && !why.includes(recipient) ? `${recipient}${why ? `: ${why}` : ''}` : why
}
