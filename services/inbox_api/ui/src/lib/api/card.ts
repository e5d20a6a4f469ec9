/** The customer's card, own fields, and imports: the shapes and one function a call. */
import { answer, askForLines, request } from './client'
import { Problem, problemFrom } from './problem'
import type { Page } from './types'

export type Value = string | number | boolean | string[] | { id: string; name: string } | null
export type OwnType = 'text' | 'number' | 'date' | 'choice' | 'yes_no'
export interface OwnField {
  key: string
  label: string
  type: OwnType
  choices: string[]
}
export interface Consent {
  state: 'given' | 'withdrawn'
  text: string
  at: string
  how: string
}
export interface Card {
  customer_id: string
  name: string | null
  organisation: string | null
  language: string | null
  time_zone: string | null
  addresses: string[]
  requisites: string | null
  tags: string[]
  segment: string | null
  operator: { id: string; name: string } | null
  birthday: string | null
  notes: string | null
  own: Record<string, Value>
  consents: Record<string, Consent>
  retired: boolean
  changed_at: string | null
}
export interface FieldChange {
  field: string
  before: Value | Consent
  after: Value | Consent
  at: string
  by: { kind: 'customer' | 'operator' | 'system'; name: string | null }
  import_id: string | null
  undone: boolean
  position: number
}
/** Somebody else has changed the field: what it holds now. */
export interface Overtaken {
  field: string
  holds: Value
}

export interface Preview {
  encoding: string
  separator: string
  columns: { name: string; column: string; field: string | null }[]
  rows: string[][]
  fields: string[]
}
export interface JudgedRow {
  row: number
  state: 'new' | 'known' | 'conflict' | 'wrong'
  customer_id: string | null
  changes: { field: string; before: string[]; after: string[] }[]
  problems: { column: string; why: string }[]
  not_added: string[]
}
export type Counts = Record<'new' | 'known' | 'changed' | 'conflict' | 'wrong', number>
export interface ImportStep {
  items?: JudgedRow[]
  counts: Counts
  problem?: string
  done?: boolean
}
export interface Import extends Counts {
  id: string
  file: string
  state: 'running' | 'finished' | 'undoing' | 'undone'
  started_at: string
  started_by: { name: string | null }
  row: number
  restored: number
  left: number
  retired: number
}
export interface UndoStep {
  restored: number
  retired: number
  left: number
  problem?: string
  done?: boolean
}
export type Undone = UndoStep & Import & { items: LeftRow[] }
export interface LeftRow {
  row: number | null
  customer_id: string
  fields: string[]
  why: 'changed' | 'contact'
}

/** Returns the card, or what the field holds when somebody else was first. */
export async function changeCard(customer: string, field: string, before: Value, after: Value): Promise<Card | Overtaken> {
  const response = await answer('PATCH', `/customers/${customer}/card`, { changes: [{ field, before, after }] })
  if (response.ok) return (await response.json()) as Card
  const copy = response.clone()
  if (response.status === 409) {
    const { fields } = (await response.json()) as { fields?: Overtaken[] }
    if (fields?.[0]) return fields[0]
  }
  throw await problemFrom(copy)
}

export const cards = {
  history: (customer: string, field: string, cursor: string | null) =>
    request<Page<FieldChange>>('GET', `/customers/${customer}/card/history?${new URLSearchParams({ field, limit: '20', cursor: cursor ?? '' })}`),
  consent: (customer: string, said: { channel: string; state: Consent['state']; text: string; how: string }) =>
    request<Card>('POST', `/customers/${customer}/consents`, said),
  fields: () => request<Page<OwnField>>('GET', '/fields'),
  define: (field: OwnField) => request<OwnField>('POST', '/fields', field),
  remove: (key: string) => request<void>('DELETE', `/fields/${key}`),
  imports: () => request<Page<Import>>('GET', '/imports?limit=20'),
}

export async function preview(file: File): Promise<Preview> {
  return (await (await askForLines('/customers/import/preview', file)).json()) as Preview
}

/** Sends the file and tells each step as it comes. Throws a Problem, also when it stops half-way. */
export async function importFile(file: File, query: URLSearchParams, told: (step: ImportStep) => void): Promise<void> {
  await readSteps(await askForLines(`/customers/import?${query}`, file), told)
}

/** Takes an import back and tells how far that is; returns it as it is then. Throws a Problem. */
export async function undoImport(id: string, told: (step: UndoStep) => void): Promise<Undone> {
  return (await readSteps(await askForLines(`/imports/${id}/undo`, null), told)) as Undone
}

async function readSteps<Step extends { problem?: string; done?: boolean }>(response: Response, told: (step: Step) => void): Promise<Step> {
  let rest = ''
  let last: Step | undefined
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const next = () => reader?.read().catch((cause: unknown) => { throw new Problem(0, String(cause), null) })
  for (let part = await next(); part && !part.done; part = await next()) {
    const lines = (rest + part.value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      last = JSON.parse(line) as Step
      told(last)
      if (last.problem) throw new Problem(422, last.problem, null)
    }
  }
  if (!last?.done) throw new Problem(0, 'the connection was lost', null)
  return last
}
