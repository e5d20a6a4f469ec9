/** Initials, colours and sizes: how a person or file is shown when all we have is a name. */

/** What a person is called: one who was erased, and one of whom nothing is known, by the words for that. */
export function nameOf(who: { name: string | null; address?: string | null; erased?: boolean }, words: { privacy: { person: string }; unknown_person: string }): string {
  return who.name || who.address || (who.erased ? words.privacy.person : words.unknown_person)
}

export function initials(name: string): string {
  const words = name.replace(/[^\p{L}\p{N}\s+@.-]/gu, '').split(/[\s.@-]+/u).filter(Boolean)
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '')
  return letters.join('').toUpperCase() || '?'
}

/** A hue (0..359) that is always the same for the same text. */
export function hue(text: string): number {
  let hash = 2166136261
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619)
  return (hash >>> 0) % 360
}

export function bytes(size: number, language: string): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']
  const power = Math.min(units.length - 1, size > 0 ? Math.floor(Math.log(size) / Math.log(1024)) : 0)
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: units[power] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: power > 1 ? 1 : 0,
  }).format(size / 1024 ** power)
}
