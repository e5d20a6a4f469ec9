/** The language of the window: chosen here, else the operator's, else the browser's. Components read `L.t`. */
import { en, type Texts } from './en'
import { ru } from './ru'

export type Language = 'ru' | 'en'

const STORED = 'okno.language'
const TEXTS: Record<Language, Texts> = { ru, en }

class Localization {
  language = $state<Language>(chosen() ?? preferred(navigator.language))

  get t(): Texts {
    return TEXTS[this.language]
  }

  /** For dates and numbers: the browser's own kind of English, where it is English. */
  get locale(): string {
    return navigator.language.startsWith(this.language) ? navigator.language : this.language === 'en' ? 'en-GB' : 'ru-RU'
  }

  /** The operator's own setting counts unless another was chosen in this browser. */
  suggest(language: Language | null): void {
    if (language !== null && chosen() === null) this.language = language
  }

  choose(language: Language): void {
    localStorage.setItem(STORED, language)
    this.language = language
  }

  toggle(): void {
    this.choose(this.language === 'ru' ? 'en' : 'ru')
  }
}

function chosen(): Language | null {
  const stored = localStorage.getItem(STORED)
  return stored === 'ru' || stored === 'en' ? stored : null
}

function preferred(tag: string): Language {
  return /^(ru|be|uk|kk)\b/i.test(tag) ? 'ru' : 'en'
}

export const L = new Localization()
