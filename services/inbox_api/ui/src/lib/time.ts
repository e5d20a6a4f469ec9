/** Times for people: relative in lists, exact on hover, and the presets of snoozing. `now` is always passed in. */
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** "now", "5 min", "14:05" (today), "Tue", "3 Oct", "03.10.2024": as short as a list wants it. */
export function relative(time: string | null, now: number, language: string, words: { just_now: string; minutes: (count: number) => string }): string {
  if (time === null) return ''
  const then = Date.parse(time)
  const age = now - then
  if (age < MINUTE && age > -MINUTE) return words.just_now
  if (age >= 0 && age < HOUR) return words.minutes(Math.floor(age / MINUTE))
  if (sameDay(then, now)) return format(then, language, { hour: '2-digit', minute: '2-digit' })
  if (age >= 0 && age < 6 * DAY) return format(then, language, { weekday: 'short' })
  if (new Date(then).getFullYear() === new Date(now).getFullYear())
    return format(then, language, { day: 'numeric', month: 'short' })
  return format(then, language, { day: '2-digit', month: '2-digit', year: 'numeric' })
}

export function exact(time: string | null, language: string): string {
  if (time === null) return ''
  return format(Date.parse(time), language, { dateStyle: 'long', timeStyle: 'medium' })
}

export function clock(time: string, language: string): string {
  return format(Date.parse(time), language, { hour: '2-digit', minute: '2-digit' })
}

/** "today" and "yesterday" by the given words, else "Monday, 3 October". */
export function day(time: string, now: number, language: string, words: { today: string; yesterday: string }): string {
  const then = Date.parse(time)
  if (sameDay(then, now)) return words.today
  if (sameDay(then, at(now, -1, 12).getTime())) return words.yesterday
  const year = new Date(then).getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' as const }
  return format(then, language, { weekday: 'long', day: 'numeric', month: 'long', ...year })
}

export function dateTime(time: string, language: string): string {
  return format(Date.parse(time), language, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
}

/** 65 -> "1:05". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** The value a `datetime-local` input wants: local time, to the second. */
export function localInput(time: number): string {
  return new Date(time - new Date(time).getTimezoneOffset() * MINUTE).toISOString().slice(0, 19)
}

export type SnoozePreset = 'one_hour' | 'three_hours' | 'this_evening' | 'tomorrow' | 'next_week'

/** When each preset ends, soonest first; "this evening" only while it is still ahead. */
export function snoozePresets(now: number): { name: SnoozePreset; until: Date }[] {
  const presets: { name: SnoozePreset; until: Date }[] = [
    { name: 'one_hour', until: new Date(now + HOUR) },
    { name: 'three_hours', until: new Date(now + 3 * HOUR) },
    { name: 'this_evening', until: at(now, 0, 18) },
    { name: 'tomorrow', until: at(now, 1, 9) },
    { name: 'next_week', until: at(now, ((8 - new Date(now).getDay()) % 7) || 7, 9) },
  ]
  return presets
    .filter(({ name, until }) => name !== 'this_evening' || until.getTime() > now + 30 * MINUTE)
    .filter(({ until }, at, all) => all.findIndex((other) => other.until.getTime() === until.getTime()) === at)
    .sort((a, b) => a.until.getTime() - b.until.getTime())
}

function at(now: number, days: number, hour: number): Date {
  const date = new Date(now)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days, hour)
}

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString()
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Making a formatter takes 50 times as long as using it, and a list has hundreds of times. */
function format(time: number, language: string, options: Intl.DateTimeFormatOptions): string {
  if (Number.isNaN(time)) return ''
  const key = language + JSON.stringify(options)
  const made = formats.get(key) ?? new Intl.DateTimeFormat(language, options)
  formats.set(key, made)
  return made.format(time)
}
