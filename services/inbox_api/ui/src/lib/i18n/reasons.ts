/** Why something is refused, or no answer possible, as the server says it, in the operator's language. What is not known here is shown as it is. */
import type { Language } from './index.svelte'
import { REFUSALS } from './refusals'

const RUSSIAN: [RegExp, string][] = [
  [/^A call is not answered in writing: call back (.+)\.$/, 'На звонок не отвечают письменно: перезвоните на $1.'],
  [/^The number was withheld: there is nobody to call back\.$/, 'Номер был скрыт: перезвонить некому.'],
  [/^This was told by Telegram itself: there is nobody to answer\.$/, 'Это сообщил сам Telegram: отвечать некому.'],
  [/^The form gave no e-mail address to answer to\.$/, 'В форме не указана почта, на которую можно ответить.'],
  [/^The form gave a phone number only: call (.+)\.$/, 'В форме указан только телефон: позвоните на $1.'],
  [/^No mailbox is set for answers to this form: set reply_channel of the channel\.$/, 'Для ответов на эту форму не задан ящик: укажите reply_channel у канала.'],
  [/^The client was erased: there is nobody to write to$/, 'Клиент стёрт: писать некому'],
  [/^The client has blocked us$/, 'Клиент нас заблокировал'],
  [/^blocked the bot$/, 'Клиент заблокировал бота'],
  [/^started or unblocked the bot$/, 'Клиент запустил или разблокировал бота'],
  [/^the bot was removed from the group$/, 'Бота удалили из группы'],
  [/^the bot was added to the group$/, 'Бота добавили в группу'],
  // why a message stands in its conversation
  [/^first message of a thread$/, 'первое сообщение ветки'],
  [/^quotes a message of another customer$/, 'цитирует сообщение другого клиента'],
  [/^sent to an address that only this conversation has$/, 'отправлено на адрес, который есть только у этого обращения'],
  [/^proves to have (.*)$/s, 'отправитель точно видел $1'],
  [/^same thread$/, 'та же ветка'],
  [/^answers (.*)$/s, 'ответ на $1'],
  [/^same sender and subject$/, 'тот же отправитель и та же тема'],
  [/^moved out of another conversation$/, 'перенесено из другого обращения'],
  ...REFUSALS,
]

export function reasonIn(language: Language, text: string): string {
  const [pattern, russian] = (language === 'ru' && RUSSIAN.find(([each]) => each.test(text))) || []
  return pattern && russian !== undefined ? text.replace(pattern, russian) : text
}
