/** The entry whose causes are shown, if any. */
import { api } from '../api/client'
import type { Why } from '../api/why'
import { attempt } from './notices.svelte'

class WhyPanel {
  found = $state.raw<Why | null>(null)
  #wanted: number | null = null

  /** Reads why the event at a position happened and shows it; a later question counts. */
  async ask(position: number): Promise<void> {
    this.#wanted = position
    await attempt(async () => {
      const found = await api.why(position)
      if (this.#wanted === position) this.found = found
    })
  }

  hide(): void {
    this.#wanted = null
    this.found = null
  }
}

export const why = new WhyPanel()
