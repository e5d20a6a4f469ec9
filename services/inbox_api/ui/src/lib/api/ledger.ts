/** The ledger as the API gives it: what came, what of it is missing, and the chain that shows whether it was changed. */
import { BASE, request } from './client'
import { Problem, problemFrom } from './problem'

export interface LedgerRow {
  id: string
  kind: string
  name: string
  state: string
  received: number
  stored: number
  shown: number
  quarantined: number
  on_the_way: number
  asked: number
  sent: number
  failed: number
  unknown: number
  sending: number
  lag: number | null
  problem: string | null
}

export interface Hole {
  kind: string
  channel_id: string | null
  at: string
  what: string
  done: string
  position: number | null
  conversation_id: string | null
}

export interface Ledger {
  since: string
  until: string | null
  complete: boolean
  events: number
  items: LedgerRow[]
  holes: Hole[]
  holes_by_kind: Record<string, number>
}

export interface Chain {
  /** POSITION:HASH, to be noted elsewhere. */
  head: string
  linked_at: string | null
  unlinked: number
  last_verified: { at: string; by: string; events: number; head: string; difference: string | null } | null
}

/** Reading a long log takes longer than any other answer may. */
const VERIFY_MILLISECONDS = 600_000

export const ledgerApi = {
  ledger: (since: Date) => request<Ledger>('GET', `/reports/ledger?since=${encodeURIComponent(since.toISOString())}`),
  chain: () => request<Chain>('GET', '/reports/chain'),
  async verify(): Promise<Chain> {
    const signal = AbortSignal.timeout(VERIFY_MILLISECONDS)
    const response = await fetch(`${BASE}/reports/chain/verify`, { method: 'POST', headers: { 'X-Okno': '1' }, signal }).catch((cause: unknown) => {
      throw new Problem(0, String(cause), null)
    })
    if (!response.ok) throw await problemFrom(response)
    return (await response.json()) as Chain
  },
}
