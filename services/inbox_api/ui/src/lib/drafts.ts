/** Texts not sent yet, one per conversation and kind, kept in the browser's storage at each keystroke. */
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
}

function key(conversation: string, kind: DraftKind): string {
  return `okno.draft.${kind}.${conversation}`
}
