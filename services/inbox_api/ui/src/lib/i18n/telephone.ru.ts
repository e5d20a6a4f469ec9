/** Russian words of calls, of the operator's own telephone and of what is due. */
import type { telephone as English } from './telephone.en'

export const telephone: typeof English = {
  telephone: {
    ask: 'На какой телефон вам звонить?',
    hint: 'Ваш номер или внутренний номер АТС. Он запомнится.',
    placeholder: '+7 495 123-45-67 или 101',
    keep: 'Запомнить и позвонить',
    mine: (number) => `Мой телефон: ${number}`,
    change: 'Изменить мой телефон',
  },
  heard: {
    who: 'Кто прослушал',
    nobody: 'Её ещё никто не слушал.',
  },
  call_card: { responsible: (name) => `Ответственный: ${name}` },
  due: { overdue: 'Просрочено', today: 'Сегодня', later: 'Позже', more: 'Показать ещё' },
}
