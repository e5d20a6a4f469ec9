/** Tells the server that somebody is writing, so that the client can see it: at most once in a few seconds. */
import { api } from './api/client'

/** Telegram shows it for five seconds. */
const EVERY_MS = 4000
const told = new Map<string, number>()

export function tellTyping(conversation: string, now = Date.now()): void {
  if (now - (told.get(conversation) ?? -Infinity) < EVERY_MS) return
  told.set(conversation, now)
  api.typing(conversation).catch(() => told.delete(conversation)) // nobody waits for it; the next keystroke tries again
}
