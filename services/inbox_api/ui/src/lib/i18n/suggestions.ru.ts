import type { suggestionTexts as shape } from './suggestions.en'

export const suggestionTexts: typeof shape = {
  lead: '«Окно» никого не объединяет само: оно спрашивает и называет причины. Объединение можно отменить в любой момент.',
  hint: 'Y — один человек · X — разные · ↑ ↓ — по списку · Enter — открыть',
  empty: 'Похожих друг на друга клиентов нет. Об отклонённых парах больше не спросим.',
}
