/** Russian texts of the customer's card. */
import type { card as cardShape } from './card.en'

const rules = new Intl.PluralRules('ru')
const many = (count: number, one: string, few: string, other: string): string => {
  const form = rules.select(count)
  return `${count} ${form === 'one' ? one : form === 'few' ? few : other}`
}

export const card: typeof cardShape = {
  title: 'Карточка',
  fields: {
    name: 'Имя', organisation: 'Организация', segment: 'Сегмент', tags: 'Метки', operator: 'Ответственный', language: 'Язык',
    time_zone: 'Часовой пояс', birthday: 'День рождения', addresses: 'Почтовые адреса', requisites: 'Реквизиты', notes: 'Заметки',
    email: 'Эл. почта', phone: 'Телефон', id: 'Номер в «Окне»',
  },
  more: (count) => many(count, 'пустое поле', 'пустых поля', 'пустых полей'),
  less: 'Скрыть пустые поля',
  edit: (label) => `Изменить: ${label}`,
  history: (label) => `История: ${label}`,
  no_history: 'Ещё не менялось.',
  nothing: 'пусто',
  save: 'Сохранить',
  yes: 'да',
  no: 'нет',
  nobody: 'никто',
  day_hint: '31.12.1990 или 31.12.',
  tags_hint: 'через запятую',
  overtaken: (holds) => `Это поле тем временем изменили. Сейчас в нём: ${holds}`,
  keep: 'Оставить так',
  overwrite: 'Записать моё',
  by_import: 'импорт',
  undone: 'импорт отменён',
  vcard: 'vCard',
  retired: 'Импорт, которым создан этот клиент, отменён: в списках его нет, пока не будет обращения.',
  consents: 'Согласия',
  consent: { given: 'согласие дано', withdrawn: 'согласие отозвано' },
  consent_add: 'Записать, что сказал клиент',
  consent_for: 'На что (email, phone, sms…)',
  consent_text: 'Текст, который показали или прочли',
  consent_how: 'Как это было сказано',
  entry: { card: 'Карточка', consent: 'Согласие', retired: 'Скрыт: импорт отменён', restored: 'Возвращён импортом' },
}
