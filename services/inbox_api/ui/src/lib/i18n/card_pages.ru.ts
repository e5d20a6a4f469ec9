/** Russian texts of the pages for own fields and imports, which are loaded when they are opened. */
import type { importTexts as importShape, ownFieldTexts as ownShape } from './card_pages.en'

const rules = new Intl.PluralRules('ru')
const many = (count: number, one: string, few: string, other: string): string => {
  const form = rules.select(count)
  return `${count} ${form === 'one' ? one : form === 'few' ? few : other}`
}

export const ownFieldTexts: typeof ownShape = {
  title: 'Свои поля',
  lead: 'Дополнительные поля карточки каждого клиента. Тип поля изменить нельзя.',
  key: 'Ключ (a–z, 0–9, _)',
  label: 'Название',
  type: 'Тип',
  types: { text: 'Текст', number: 'Число', date: 'Дата', choice: 'Выбор', yes_no: 'Да или нет' },
  choices: 'Варианты через запятую',
  add: 'Добавить',
  defined: 'Поле добавлено.',
  remove: (label) => `Удалить ${label}`,
  removed: 'В карточках его больше нет; значения вернутся, если добавить поле снова.',
  sure: (label) => `Удалить поле «${label}» из всех карточек?`,
  empty: 'Пока нет ни одного.',
  admins: 'Поля добавляют только администраторы.',
}

export const importTexts: typeof importShape = {
  title: 'Клиенты: импорт и экспорт',
  lead: 'Файл CSV, как его пишут Excel и другие программы. До кнопки «Импортировать» ничего не меняется, и импорт можно отменить.',
  admins: 'Импортируют только администраторы; выгрузить может каждый.',
  choose: 'Файл CSV',
  read_as: (encoding, separator) => `${encoding}, разделитель — ${separator}`,
  separators: { ',': 'запятая', ';': 'точка с запятой', '\t': 'табуляция' },
  column: 'Столбец',
  goes_to: (column) => `Куда идёт столбец ${column}`,
  leave_out: '— пропустить —',
  country: 'Страна для телефонов без +',
  dry_run: 'Показать, что будет',
  run: 'Импортировать',
  busy: 'Выполняется…',
  rows: (done) => many(done, 'строка', 'строки', 'строк'),
  states: { new: 'новых', known: 'известных', changed: 'из них с изменениями', conflict: 'противоречивых', wrong: 'с ошибками' },
  row: 'Строка',
  what: 'Что произойдёт',
  first_rows: (count) => `Показано строк: ${count}; счётчики — по всем.`,
  same: 'ничего не меняется',
  not_added: (addresses) => `не добавлено: ${addresses}`,
  done: 'Импорт выполнен.',
  past: 'Импорты',
  none: 'Ещё не было.',
  import_states: { running: 'не закончен', finished: 'выполнен', undoing: 'отменяется', undone: 'отменён' },
  undo: 'Отменить',
  sure: 'Отменить этот импорт? Поля, изменённые после него, останутся как есть.',
  undone: (restored, retired, left) => `Возвращено прежнее: ${restored}, скрыто клиентов: ${retired}, оставлено строк: ${left}.`,
  left: (fields) => `оставлено: ${fields}`,
  row_number: (row) => `Строка ${row}`,
  customer: 'Клиент',
  contact: 'с клиентом уже общались, его меняли или объединили',
  export: 'Выгрузить всех клиентов',
  export_comma: 'CSV (запятые)',
  export_semicolon: 'CSV (точка с запятой, для русского Excel)',
}
