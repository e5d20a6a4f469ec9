/** How values of cards are read in this window: its language, its operators, its own fields. */
import { asChange, asText, fieldsOf, type Field, type FieldText, type Reading } from '../card'
import type { Value } from '../api/card'
import { Problem } from '../api/problem'
import { L } from '../i18n/index.svelte'
import { reasonIn } from '../i18n/reasons'
import { ownFields } from './own_fields.svelte'
import { session } from './session.svelte'

const reading = (): Reading => ({ locale: L.locale, words: L.t.card, operators: session.operators })

export const valueText = (field: Field, value: Value): string => asText(field.type, value, reading())

/** "Discount: 5.5", or "Discount: 5 → 5.5" where `before` is wanted. */
export function changeText(change: FieldText, before = false): string {
  const { label, ...text } = asChange(change, fieldsOf(ownFields.list, L.t.card.fields), reading())
  return `${label}: ${before && text.before ? `${text.before} → ` : ''}${text.after || L.t.card.nothing}`
}

/** What the API says of a field by its name, said by its label. */
export function ofField(field: Field, cause: unknown): unknown {
  const name = `${field.name}: `
  if (!(cause instanceof Problem) || !cause.message.startsWith(name)) return cause
  return new Problem(cause.status, cause.title, `${field.label}: ${reasonIn(L.language, cause.message.slice(name.length))}`)
}
