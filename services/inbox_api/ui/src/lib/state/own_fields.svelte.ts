/** The own fields of cards, read when a card is first shown and again when the page that defines them has changed some. */
import { cards, type OwnField } from '../api/card'
import { attempt } from './notices.svelte'

class OwnFields {
  list = $state.raw<OwnField[]>([])
  loaded = $state(false)

  async refresh(): Promise<void> {
    await attempt(async () => {
      this.list = (await cards.fields()).items
      this.loaded = true
    })
  }
}

export const ownFields = new OwnFields()
