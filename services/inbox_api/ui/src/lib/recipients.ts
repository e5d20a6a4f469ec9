/** Addresses as an operator types them, and what makes an answer differ from the usual one. Pure. */
import type { Draft, Extras } from './api/types'

const ADDRESS = /^[^\s@<>,;]+@[^\s@<>,;]+$/u

export interface Typed {
  addresses: string[]
  /** What is no address. */
  wrong: string[]
}

/** "Ann <a@b.c>, d@e.f; g@h.i" -> the addresses, each once. */
export function typed(text: string): Typed {
  const parts = text.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean)
  const found = parts.map((part) => /<([^<>]*)>\s*$/.exec(part)?.[1]?.trim() ?? part)
  const addresses = found.filter((each) => ADDRESS.test(each))
  return { addresses: [...new Map(addresses.map((each) => [each.toLowerCase(), each])).values()], wrong: found.filter((each) => !ADDRESS.test(each)) }
}

export const NO_EXTRAS: Extras = { to: null, cc: [], bcc: [], quotes: null, markup: 'plain', files: [], answers: null }

export const isPlain = (extras: Extras): boolean =>
  extras.to === null && extras.quotes === null && extras.answers === null && extras.markup === 'plain' && [...extras.cc, ...extras.bcc, ...extras.files].length === 0

/** Only mail has recipients that can be chosen. */
export const isMail = (draft: Draft | null): boolean => draft?.to[0]?.kind === 'email'

/** A mail program shows no form: who filled one in would not know what is answered. */
export const quotesOf = (extras: Extras, channel: { kind: string }): boolean => extras.quotes ?? channel.kind === 'web_form'

/** null when it is what it would be anyway. */
export function changedTo(addresses: string[], draft: Draft): string[] | null {
  const usual = draft.to.map(({ address }) => address.toLowerCase()).sort()
  return addresses.map((each) => each.toLowerCase()).sort().join('\n') === usual.join('\n') ? null : addresses
}
