import type { MergingTexts } from './merging.en'

export const merging: MergingTexts = {
  title: 'Один и тот же человек?',
  may_be: (name: string) => `Возможно, это тот же человек: ${name}`,
  reason: {
    claimed: (address: string, who: string) => `${who} указывает ${address}, а это адрес другого`,
    vouched: (address: string, who: string) => `канал подтверждает: ${address} — это тоже ${who}`,
    both: (address: string, _who: string) => `оба указали ${address}`,
  },
  accept: 'Это один человек',
  refuse: 'Это разные люди',
  accepted: 'Показаны как один',
  refused: 'Больше не спросим',
  undo: 'Отменить',
  members: 'Объединённые клиенты',
  merged: (who: string, when: string) => `объединил(а) ${who}, ${when}`,
  unmerge: 'Разъединить',
  unmerged: 'Снова показаны отдельно',
  merge: 'Объединить с другим клиентом',
  pick: 'Кто этот же человек?',
  find: 'Имя, почта, телефон',
  not_found: 'Никого не нашлось.',
  none: 'Других клиентов пока нет.',
  keys: { accept: 'Подсказка: это один человек', refuse: 'Подсказка: это разные люди' },
}
