/** Which fields a card has, how a value is written into a box and shown. Pure. */
import type { Card, OwnField, OwnType, Value } from './api/card'

export type FieldType = OwnType | 'long' | 'tags' | 'lines' | 'operator' | 'time_zone' | 'birthday'
export interface Field {
  name: string
  type: FieldType
  label: string
  choices: string[]
}

const TYPES: Record<string, FieldType> = {
  name: 'text', organisation: 'text', segment: 'text', tags: 'tags', operator: 'operator', language: 'text', time_zone: 'time_zone',
  birthday: 'birthday', addresses: 'lines', requisites: 'long', notes: 'long',
}

export function fieldsOf(own: readonly OwnField[], labels: Readonly<Record<string, string>>): Field[] {
  const fixed = Object.entries(TYPES).map(([name, type]) => ({ name, type, label: labels[name] ?? name, choices: [] }))
  return [...fixed, ...own.map(({ key, type, label, choices }) => ({ name: `own.${key}`, type, label, choices }))]
}

/** Own fields that a card of the past has and nobody any more: their labels are gone with them, their keys are known. */
export function formerOf(card: Card, own: readonly OwnField[]): Field[] {
  const former = Object.keys(card.own).filter((key) => !own.some((field) => field.key === key))
  return former.map((key) => ({ name: `own.${key}`, type: 'text', label: key, choices: [] }))
}

export function valueOf(card: Card, name: string): Value {
  return name.startsWith('own.') ? (card.own[name.slice(4)] ?? null) : (card as unknown as Record<string, Value>)[name]!
}

export const isEmpty = (value: Value): boolean => value === null || (Array.isArray(value) && value.length === 0)

/** What stands in the box while a value is edited. */
export function asInput(type: FieldType, value: Value): string {
  if (value === null) return ''
  if (Array.isArray(value)) return value.join(type === 'tags' ? ', ' : '\n')
  if (typeof value === 'object') return value.id
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return String(value)
}

/** What texts are made with. */
export interface Reading {
  locale: string
  words: { yes: string; no: string; nothing: string }
  operators: readonly { id: string; name: string }[]
}

/** A value as people read it; days of birth may have no year, and a history knows operators by their ids only. */
export function asText(type: FieldType, value: Value, { locale, words, operators }: Reading): string {
  if (value === null) return ''
  if (Array.isArray(value)) return value.join('\n')
  if (typeof value === 'object') return value.name || value.id
  if (typeof value === 'boolean') return value ? words.yes : words.no
  if (typeof value === 'number') return new Intl.NumberFormat(locale, { maximumFractionDigits: 15 }).format(value)
  if (type === 'operator') return operators.find(({ id }) => id === value)?.name ?? value
  return type === 'date' || type === 'birthday' ? dayText(value, locale) : value
}

/** A change of a card as a timeline or an import tells it: which field, what it held, what it holds. */
export function asChange(changed: FieldText, fields: readonly Field[], reading: Reading): { label: string; before: string; after: string } {
  const field = fields.find(({ name }) => name === changed.field)
  const type = field?.type ?? 'text'
  const text = (values: readonly string[]) => (values.length > 0 ? asText(type, held(type, values), reading).replaceAll('\n', ', ') : '')
  return { label: field?.label ?? changed.field.replace(/^own\./, ''), before: text(changed.before), after: text(changed.after) }
}

export interface FieldText {
  field: string
  before: readonly string[]
  after: readonly string[]
}

/** The value that the log keeps as texts. */
function held(type: FieldType, values: readonly string[]): Value {
  if (type === 'number') return Number(values[0])
  if (type === 'yes_no') return values[0] === 'yes'
  return values.length > 1 ? [...values] : values[0]!
}

function dayText(value: string, locale: string): string {
  const day = /^(?:(\d{4})|-)-(\d\d)-(\d\d)$/.exec(value)
  if (!day) return value
  const date = new Date(0)
  date.setUTCFullYear(Number(day[1] ?? 2000), Number(day[2]) - 1, Number(day[3]))
  const year = day[1] ? { year: 'numeric' as const } : {}
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', ...year, timeZone: 'UTC' }).format(date)
}
