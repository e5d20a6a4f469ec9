/** What needs attention besides messages: failing channels and what lies in quarantine. */
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Channel, ChannelAbilities, Quarantined } from '../api/types'
import { Coalescer } from '../live/coalesce'

class Health {
  channels = $state.raw<Channel[] | null>(null)
  quarantine = $state.raw<Quarantined[] | null>(null)
  problem = $state.raw<Problem | null>(null)
  readonly #fetches = new Coalescer()

  get failing(): Channel[] {
    return (this.channels ?? []).filter((channel) => channel.state === 'failing')
  }

  get waiting(): number {
    return (this.quarantine ?? []).filter((item) => item.state !== 'resolved').length
  }

  /** null until it is known. */
  abilitiesOf(channel: string | undefined): ChannelAbilities | null {
    return this.channels?.find(({ id }) => id === channel)?.can ?? null
  }

  async refresh(): Promise<void> {
    await Promise.all([this.refreshChannels(), this.refreshQuarantine()])
  }

  refreshChannels(): Promise<void> {
    return this.#fetches.request('channels', () => this.#guarded(async () => (this.channels = (await api.channels()).items)))
  }

  refreshQuarantine(): Promise<void> {
    return this.#fetches.request('quarantine', () =>
      this.#guarded(async () => (this.quarantine = (await api.quarantine()).items)),
    )
  }

  async #guarded(read: () => Promise<unknown>): Promise<void> {
    try {
      await read()
      this.problem = null
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      this.problem = cause
    }
  }
}

export const health = new Health()
