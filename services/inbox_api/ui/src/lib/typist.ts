/** Who is writing when the box is taken away (the conversation was merged by somebody else) writes on for a moment: those
 *  keys are words still, no commands. */
const WRITES_ON_MILLISECONDS = 1500

type Key = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'timeStamp'>

export class Typist {
  #box: { isConnected: boolean } | null = null
  #at = -Infinity

  /** A key that was pressed in a box. */
  wrote(box: { isConnected: boolean }, key: Key): void {
    this.#box = isLetter(key) ? box : null
    this.#at = key.timeStamp
  }

  /** Whether a key that was pressed elsewhere was meant for the box that is gone. */
  writesOn(key: Key): boolean {
    const meant = this.#box !== null && !this.#box.isConnected && key.timeStamp - this.#at < WRITES_ON_MILLISECONDS
    if (meant) this.#at = key.timeStamp
    return meant
  }
}

const isLetter = ({ key, ctrlKey, metaKey, altKey }: Key): boolean => (key.length === 1 || key === 'Backspace') && !ctrlKey && !metaKey && !altKey
