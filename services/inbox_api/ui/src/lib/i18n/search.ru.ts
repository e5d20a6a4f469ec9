import type { search as en } from './search.en'

export const search: typeof en = {
  title: 'Поиск',
  placeholder: 'Слова, имя, адрес, номер; «точные слова»',
  nothing: 'Ничего не нашлось.',
  hint: 'Сообщения, заметки, клиенты, файлы и то, что в карантине; сначала новое.',
  behind: (count: number) => `Последние события (${count}) ещё не в индексе.`,
  in_quarantine: 'Карантин',
  kinds: { text: 'Сообщение', form: 'Форма', call: 'Звонок', note: 'Заметка', customer: 'Клиент', quarantine: 'Карантин' },
}
