/** Every call the window makes. A refused or lost request is a thrown `Problem`, never a silent null. */
import { momentFields, type Moment } from '../moment'
import { filterFields, type TimelineFilter } from '../timeline_filter'
import { Problem, problemFrom } from './problem'
import type { Hits } from './search'
import type {
  Channel, Colleague, Conversation, Customer, Draft, Entry, Extras, Listening, Markup, NewStep, Operator, Page, Quarantined, StatusFilter, Step, StepCounts,
} from './types'
import type { Why } from './why'

export const BASE = '/api/v1'
const DEADLINE_MILLISECONDS = 30_000

let onSignedOut: () => void = () => {}

/** `handler` is called when any call is answered 401, except those of the sign-in itself. */
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler
}

export interface PageRequest {
  cursor?: string | null
  limit?: number
}

export const api = {
  session: () => request<Operator>('GET', '/session', undefined, true),
  signIn: (email: string, password: string) => request<Operator>('POST', '/session', { email, password }, true),
  signOut: () => request<void>('DELETE', '/session'),
  setup: (body: { token: string; email: string; name: string; password: string }) =>
    request<Operator>('POST', '/setup', body, true),

  conversations: (status: StatusFilter, page: PageRequest = {}, moment: Moment | null = null) =>
    request<Page<Conversation>>('GET', `/conversations${query({ status, ...momentFields(moment), ...page })}`),
  conversationsOf: (customer_id: string) =>
    request<Page<Conversation>>('GET', `/conversations${query({ status: 'all', customer_id })}`),
  assignedTo: (assignee_id: string, status: StatusFilter, cursor: string | null) =>
    request<Page<Conversation>>('GET', `/conversations${query({ status, assignee_id, cursor })}`),
  conversation: (id: string, moment: Moment | null = null) =>
    request<Conversation>('GET', `/conversations/${id}${query(momentFields(moment))}`),
  messages: (id: string, page: PageRequest = {}, moment: Moment | null = null) =>
    request<Page<Entry>>('GET', `/conversations/${id}/messages${query({ order: 'desc', ...momentFields(moment), ...page })}`),

  draft: (id: string) => request<Draft>('GET', `/conversations/${id}/draft`),
  reply: (id: string, body: { id: string; text: string } & Partial<Omit<Extras, 'quotes' | 'answers'>> & { quotes?: boolean; answers?: string | null }) =>
    request<Entry>('POST', `/conversations/${id}/replies`, body),
  typing: (id: string) => request<void>('POST', `/conversations/${id}/typing`),
  note: (id: string, body: { id: string; text: string }) => request<Entry>('POST', `/conversations/${id}/notes`, body),
  retry: (id: string, message: string) =>
    request<Entry>('POST', `/conversations/${id}/messages/${message}/retry`, {}),
  edit: (id: string, message: string, text: string, markup: Markup) =>
    request<Entry>('POST', `/conversations/${id}/messages/${message}/edit`, { id: crypto.randomUUID(), text, markup }),
  delete: (id: string, message: string) =>
    request<Entry>('POST', `/conversations/${id}/messages/${message}/delete`, { id: crypto.randomUUID() }),
  react: (id: string, message: string, reaction: string) =>
    request<Entry>('POST', `/conversations/${id}/messages/${message}/react`, { id: crypto.randomUUID(), reaction }),
  move: (id: string, message: string, to: string | null) =>
    request<Conversation>('POST', `/conversations/${id}/messages/${message}/move`, { to }),
  call: (id: string, to: string, channel_id: string) =>
    request<Entry>('POST', `/conversations/${id}/call`, { id: crypto.randomUUID(), to, channel_id }),

  close: (id: string) => request<Conversation>('POST', `/conversations/${id}/close`, {}),
  reopen: (id: string) => request<Conversation>('POST', `/conversations/${id}/reopen`, {}),
  snooze: (id: string, until: Date) =>
    request<Conversation>('POST', `/conversations/${id}/snooze`, { until: until.toISOString() }),
  assign: (id: string, operator_id: string | null) =>
    request<Conversation>('POST', `/conversations/${id}/assign`, { operator_id }),
  tag: (id: string, add: string[], remove: string[]) =>
    request<Conversation>('POST', `/conversations/${id}/tags`, { add, remove }),

  customer: (id: string, moment: Moment | null = null) => request<Customer>('GET', `/customers/${id}${query(momentFields(moment))}`),
  timeline: (id: string, filter: TimelineFilter, moment: Moment | null, page: PageRequest = {}) =>
    request<Page<Entry>>('GET', `/customers/${id}/timeline${query({ order: 'desc', ...filterFields(filter), ...momentFields(moment), ...page })}`),
  why: (position: number) => request<Why>('GET', `/events/${position}/why`),

  telephone: () => request<{ telephone: string }>('GET', '/session/telephone'),
  keepTelephone: (telephone: string) => request<{ telephone: string }>('POST', '/session/telephone', { telephone }),
  signature: () => request<{ signature: string }>('GET', '/session/signature'),
  keepSignature: (signature: string) => request<{ signature: string }>('POST', '/session/signature', { signature }),
  heard: (message_id: string) => request<Page<Listening>>('GET', `/recordings/heard${query({ message_id, limit: 100 })}`),

  steps: (today_until: string, page: PageRequest = {}) =>
    request<Page<Step> & { counts: StepCounts }>('GET', `/steps${query({ state: 'planned', today_until, ...page })}`),
  stepsOf: (customer_id: string) => request<Page<Step>>('GET', `/steps${query({ state: 'planned', customer_id, limit: 200 })}`),
  stepsFor: (operator_id: string) => request<Page<Step>>('GET', `/steps${query({ state: 'planned', operator_id, limit: 500 })}`),
  planStep: (step: NewStep) => request<Step>('POST', '/steps', step),
  stepDone: (id: string) => request<Step>('POST', `/steps/${id}/done`, {}),
  declineStep: (id: string) => request<Step>('POST', `/steps/${id}/decline`, {}),
  postponeStep: (id: string, until: Date) => request<Step>('POST', `/steps/${id}/postpone`, { due_at: until.toISOString() }),

  search: (q: string, cursor: string | null) => request<Hits>('GET', `/search${query({ q, cursor })}`),
  channels: () => request<Page<Channel>>('GET', '/channels'),
  operators: () => request<Page<Colleague>>('GET', '/operators'),
  quarantine: () => request<Page<Quarantined>>('GET', '/quarantine'),
  retryQuarantined: (id: string) => request<void>('POST', `/quarantine/${id}/retry`, {}),
}

export async function request<T>(method: string, path: string, body?: unknown, anonymous = false): Promise<T> {
  const response = await answer(method, path, body, anonymous)
  if (response.ok) return (await content(response)) as T
  throw await problemFrom(response)
}

/** What the server answers, whatever it is; 401 signs out. */
export async function answer(method: string, path: string, body: unknown, anonymous = false): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', 'X-Okno': '1' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const signal = AbortSignal.timeout(DEADLINE_MILLISECONDS)
  return sent(path, { method, headers, body: body === undefined ? null : JSON.stringify(body), signal }, anonymous)
}

/** Asks for lines that come while something long is done: it has no deadline. Throws a Problem when it is refused. */
export async function askForLines(path: string, body: File | null): Promise<Response> {
  const headers = { Accept: 'application/x-ndjson', 'X-Okno': '1', ...(body && { 'Content-Type': 'text/csv' }) }
  const response = await sent(path, { method: 'POST', headers, body }, false)
  if (!response.ok) throw await problemFrom(response)
  return response
}

async function sent(path: string, what: RequestInit, anonymous: boolean): Promise<Response> {
  let response: Response
  try {
    response = await fetch(BASE + path, what)
  } catch (cause) {
    throw new Problem(0, cause instanceof Error ? cause.message : String(cause), null)
  }
  if (response.status === 401 && !anonymous) onSignedOut()
  return response
}

async function content(response: Response): Promise<unknown> {
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}

function query(values: object): string {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries.map(([key, value]) => [key, String(value)]))}`
}
