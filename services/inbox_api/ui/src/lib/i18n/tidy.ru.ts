import type { tidy as shape } from './tidy.en'

const rules = new Intl.PluralRules('ru')
const messages = (count: number): string => `${count} ${{ one: 'сообщение', few: 'сообщения' }[rules.select(count) as string] ?? 'сообщений'}`

export const tidy: typeof shape = {
  menu: 'Объединить или разделить',
  merge: 'Продолжить в другом обращении',
  merge_find: 'Найти по теме',
  merge_none: 'У этого клиента нет другого обращения в таком же канале.',
  merged: 'Обращения продолжаются как одно',
  goes_on: 'Это обращение продолжается в другом.',
  open: 'Открыть его',
  undo: 'Отменить',
  take_apart: 'Разделить',
  merged_in: 'Здесь же продолжается',
  apart: 'Обращения снова отдельно',
  split: 'Отделить начиная отсюда',
  was_split: (count) => `В новом обращении ${messages(count)}`,
  pick_first: 'Сначала выберите сообщение клиента клавишами ↑ и ↓.',
  nothing_before: 'Здесь ничего не осталось бы: с этого сообщения обращение начинается.',
  in_answer_to: 'В ответ на',
  earlier_message: 'более раннее сообщение',
  show_answered: 'Показать сообщение, на которое отвечают',
  keys: {
    pick: 'Выбрать сообщение', merge: 'Объединить обращение с другим', take_apart: 'Разделить объединённые обращения',
    move: 'Перенести выбранное сообщение', split: 'Отделить начиная с выбранного сообщения', suggestions: 'Кто может быть одним человеком',
  },
}
