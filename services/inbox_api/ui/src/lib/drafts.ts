/** Texts not sent yet, one per conversation and kind, kept in the browser's storage at each keystroke; and what an answer
 *  has besides: recipients, files. */
import type { Extras } from './api/types'
import { isPlain, NO_EXTRAS } from './recipients'

export type DraftKind = 'reply' | 'note'
export type Shelf = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

export class DraftStore {
  constructor(private readonly shelf: Shelf) {}

  read(conversation: string, kind: DraftKind): string {
    return this.shelf.getItem(key(conversation, kind)) ?? ''
  }

  write(conversation: string, kind: DraftKind, text: string): void {
    if (text.trim() === '') this.shelf.removeItem(key(conversation, kind))
    else this.shelf.setItem(key(conversation, kind), text)
  }

  readExtras(conversation: string): Extras {
    const kept = this.shelf.getItem(extrasKey(conversation))
    return kept === null ? NO_EXTRAS : { ...NO_EXTRAS, ...(JSON.parse(kept) as Partial<Extras>) }
  }

  writeExtras(conversation: string, extras: Extras): void {
    if (isPlain(extras)) this.shelf.removeItem(extrasKey(conversation))
    else this.shelf.setItem(extrasKey(conversation), JSON.stringify(extras))
  }
}

function key(conversation: string, kind: DraftKind): string {
  return `okno.draft.${kind}.${conversation}`
}

const extrasKey = (conversation: string): string => `okno.draft.extras.${conversation}`
