/** Keys by their place on the keyboard (KeyboardEvent.code), so that they work on the Russian layout too. */
export type Command = 'next' | 'previous' | 'reply' | 'note' | 'close' | 'close_next' | 'reopen' | 'snooze' | 'assign' | 'steps' | 'search' | 'they_are_one' | 'they_are_two' | Tidy | 'suggestions' | 'help' | 'leave'
/** What puts conversations right: the arrows pick a message, the letters act on it or on the conversation. */
export type Tidy = 'merge' | 'take_apart' | 'move' | 'split' | 'message_up' | 'message_down'

type Key = Pick<KeyboardEvent, 'code' | 'key' | 'shiftKey' | 'ctrlKey' | 'metaKey' | 'altKey'>

const PLAIN: Record<string, Command> = {
  KeyJ: 'next', KeyK: 'previous', KeyR: 'reply', KeyN: 'note', KeyE: 'close', KeyU: 'reopen', KeyH: 'snooze', KeyA: 'assign', KeyS: 'steps', Slash: 'search',
  KeyM: 'merge', KeyZ: 'take_apart', KeyV: 'move', KeyT: 'split', ArrowUp: 'message_up', ArrowDown: 'message_down', KeyO: 'suggestions',
  KeyY: 'they_are_one', KeyX: 'they_are_two', Escape: 'leave',
}

export function commandOf(key: Key): Command | null {
  if (key.ctrlKey || key.metaKey || key.altKey) return null
  if (key.key === '?' || (key.code === 'Slash' && key.shiftKey)) return 'help'
  if (key.shiftKey) return key.code === 'KeyE' ? 'close_next' : null
  return PLAIN[key.code] ?? null
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

export const isSendKey = (key: Key): boolean => (key.code === 'Enter' || key.code === 'NumpadEnter') && (key.ctrlKey || key.metaKey)
