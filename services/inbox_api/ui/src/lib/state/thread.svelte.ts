/** One conversation with its messages and what the operator is sending. The last few stay in memory, so going back is
 *  instant; a change to one that is not on screen is only marked. */
import { untrack } from 'svelte'
import { api } from '../api/client'
import { Problem } from '../api/problem'
import type { Conversation, Draft, Entry, Extras, UploadedFile } from '../api/types'
import { DraftStore, type DraftKind } from '../drafts'
import { Coalescer } from '../live/coalesce'
import type { Moment } from '../moment'
import { OutboxStore, type Pending } from '../outbox'
import { isPlain, NO_EXTRAS } from '../recipients'
import { Feed } from './feed.svelte'
import { inbox } from './inbox.svelte'
import { Uploads } from './uploads.svelte'

const drafts = new DraftStore(localStorage)
const outbox = new OutboxStore(localStorage)

export interface Sending extends Pending {
  state: 'sending' | 'failed' | 'unconfirmed'
  problem: Problem | null
}

export class Thread {
  conversation = $state.raw<Conversation | null>(null)
  sending = $state.raw<Sending[]>([])
  problem = $state.raw<Problem | null>(null)
  readonly texts: Record<DraftKind, string> = $state({ reply: '', note: '' })
  extras = $state.raw<Extras>(NO_EXTRAS)
  /** To whom an answer would go, as far as asked. */
  draft = $state.raw<Draft | null>(null)
  readonly uploads = new Uploads((file) => this.attach(file))
  readonly feed: Feed
  readonly #fetches = new Coalescer()

  constructor(
    readonly id: string,
    readonly moment: Moment | null = null,
  ) {
    this.feed = new Feed((cursor) => api.messages(id, { cursor }, moment))
    this.conversation = moment === null ? (inbox.find(id) ?? null) : null
    this.readDrafts()
    this.sending = outbox.of(id).map((each) => ({ ...each, state: 'unconfirmed', problem: null }))
  }

  readDrafts(): void {
    this.texts.reply = drafts.read(this.id, 'reply')
    this.texts.note = drafts.read(this.id, 'note')
    this.extras = drafts.readExtras(this.id)
  }

  /** What another window has sent, or taken back into its box, does not wait here any more. */
  readOutbox(): void {
    this.sending = this.sending.filter((each) => each.state === 'sending' || outbox.has(each.id))
  }

  /** Reads the conversation and what is new in it. */
  async refresh(): Promise<void> {
    await Promise.all([this.feed.refresh(), this.refreshConversation()])
    this.#settle()
  }

  async refreshMessages(): Promise<void> {
    await this.feed.refresh()
    this.#settle()
  }

  refreshConversation(): Promise<void> {
    return this.#fetches.request('conversation', async () => {
      try {
        const found = await api.conversation(this.id, this.moment)
        if (this.moment === null) inbox.put(found)
        else this.conversation = found
        this.problem = null
      } catch (cause) {
        if (!(cause instanceof Problem)) throw cause
        this.problem = cause
      }
    })
  }

  refreshDraft(): Promise<void> {
    return this.#fetches.request('draft', async () => {
      try {
        this.draft = await api.draft(this.id)
      } catch (cause) {
        if (!(cause instanceof Problem)) throw cause
        this.draft = null
      }
    })
  }

  put(conversation: Conversation): void {
    if ((this.conversation?.position ?? -1) <= conversation.position) this.conversation = conversation
  }

  /** What stands in the box, kept at each keystroke. */
  write(kind: DraftKind, text: string): void {
    this.texts[kind] = text
    drafts.write(this.id, kind, text)
  }

  /** What the answer has besides its words, kept like them. */
  change(extras: Partial<Extras>): void {
    this.extras = { ...this.extras, ...extras }
    drafts.writeExtras(this.id, this.extras)
  }

  attach(file: UploadedFile): void {
    const others = this.extras.files.filter((each) => each.sha256 !== file.sha256 || each.name !== file.name)
    this.change({ files: [...others, file] })
  }

  get hasDraft(): boolean {
    return this.texts.reply.trim() !== '' || this.texts.note.trim() !== '' || this.extras.files.length > 0
  }

  /** Puts what stands in the boxes here into those of another conversation, after what stands there. It goes to whom answers
   *  go there. */
  carryTo(other: Thread): void {
    if (!this.hasDraft) return
    for (const kind of ['reply', 'note'] as const) {
      other.write(kind, [other.texts[kind], this.texts[kind]].filter((text) => text.trim() !== '').join('\n\n'))
      this.write(kind, '')
    }
    this.extras.files.forEach((file) => other.attach(file))
    if (this.extras.markup === 'markdown') other.change({ markup: 'markdown' })
    this.change(NO_EXTRAS)
  }

  /** Puts the text on screen at once and posts it. It leaves the outbox only when the server has it. */
  send(kind: DraftKind, text: string): Promise<void> {
    const head = { id: crypto.randomUUID(), conversation_id: this.id, kind, text, created_at: new Date().toISOString() }
    const pending: Pending = kind === 'note' || isPlain(this.extras) ? head : { ...head, extras: this.extras }
    outbox.put(pending)
    this.write(kind, '')
    if (kind === 'reply') this.change({ ...NO_EXTRAS, markup: this.extras.markup })
    return this.post(pending)
  }

  /** Posts again what was not confirmed: the id is the same, so the server takes it once. */
  async post(pending: Pending): Promise<void> {
    this.#mark({ ...pending, state: 'sending', problem: null })
    try {
      const { answers, quotes, ...extras } = pending.extras ?? NO_EXTRAS
      const body = { id: pending.id, text: pending.text, ...(pending.extras ? extras : {}), quotes: quotes ?? false, answers: answers?.id ?? null }
      const entry = await (pending.kind === 'note' ? api.note(this.id, body) : api.reply(this.id, body))
      outbox.confirm(pending.id)
      this.feed.put(entry)
      this.#drop(pending.id)
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      this.#mark({ ...pending, state: 'failed', problem: cause })
    }
  }

  /** Puts what was not confirmed back into the box, before what is being written there. */
  takeBack(pending: Pending): void {
    this.write(pending.kind, [pending.text, this.texts[pending.kind]].filter(Boolean).join('\n\n'))
    if (pending.extras) this.change({ ...pending.extras, files: this.extras.files })
    pending.extras?.files.forEach((file) => this.attach(file))
    outbox.confirm(pending.id)
    this.#drop(pending.id)
  }

  async retry(message: Entry): Promise<void> {
    this.feed.put(await api.retry(this.id, message.id))
  }

  #mark(sending: Sending): void {
    const others = this.sending.filter((each) => each.id !== sending.id)
    this.sending = [...others, sending].sort((a, b) => a.created_at.localeCompare(b.created_at))
  }

  #drop(id: string): void {
    this.sending = this.sending.filter((each) => each.id !== id)
  }

  /** What the server shows was accepted, even when the answer to the POST was lost. */
  #settle(): void {
    const known = new Set(this.feed.items.map((item) => item.id))
    for (const { id } of this.sending.filter((each) => known.has(each.id))) {
      outbox.confirm(id)
      this.#drop(id)
    }
  }
}

const KEPT = 30
const threads = new Map<string, Thread>()

export function threadOf(id: string, moment: Moment | null): Thread {
  if (moment !== null) return untrack(() => new Thread(id, moment))
  const thread = threads.get(id) ?? untrack(() => new Thread(id))
  threads.delete(id)
  threads.set(id, thread)
  for (const old of [...threads.keys()].slice(0, -KEPT)) if (threads.get(old)?.sending.length === 0) threads.delete(old)
  return thread
}

/** The thread when it is in memory; does not make one. */
export function loadedThread(id: string): Thread | undefined {
  return threads.get(id)
}

/** After a pause in the stream every loaded conversation may be out of date. */
export function markThreads(): void {
  threads.forEach((thread) => thread.feed.markAll())
}

export function forgetThreads(): void {
  threads.clear()
}

/** Two windows have one draft of an answer: what was sent from one must not stand in the other, to be sent again. */
addEventListener('storage', ({ key }) => {
  if (key?.startsWith('okno.draft.')) threads.get(key.slice(key.lastIndexOf('.') + 1))?.readDrafts()
  else if (key?.startsWith('okno.outbox.')) threads.forEach((thread) => thread.readOutbox())
})

inbox.whenFetched((conversation) => threads.get(conversation.id)?.put(conversation))
