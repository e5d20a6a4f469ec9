/** The operator's own telephone, as the server has it: asked for when a call is to be made and none is known. */
import { api } from '../api/client'

class OwnTelephone {
  number = $state('')
  #known = false

  /** Reads it once; the next call after a failure reads it again. */
  async load(): Promise<string> {
    if (!this.#known) {
      this.number = (await api.telephone()).telephone
      this.#known = true
    }
    return this.number
  }

  async keep(number: string): Promise<void> {
    this.number = (await api.keepTelephone(number)).telephone
    this.#known = true
  }

  forget(): void {
    this.#known = false
    this.number = ''
  }
}

export const telephone = new OwnTelephone()
