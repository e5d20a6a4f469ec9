/** Russian: filters of a timeline, the two meanings of a past moment, and why something is there. */
import type { kindsEn, timelineEn } from './timeline.en'

const times = (count: number): string =>
  count % 10 >= 2 && count % 10 <= 4 && !(count % 100 >= 12 && count % 100 <= 14) ? `${count} раза` : `${count} раз`

export const timelineRu: typeof timelineEn = {
  until: (time) => `до ${time}`,
  filter: {
    label: 'Фильтр',
    clear: 'Показать всё',
    kind: 'Что',
    any_kind: 'Всё',
    channel: 'Канал',
    any_channel: 'Все каналы',
    author: 'Кто',
    any_author: 'Кто угодно',
    authors: { customer: 'Клиент', operator: 'Операторы', system: 'Сам Okno' },
    from: 'С',
    to: 'По',
    nothing: 'Под фильтр ничего не подходит.',
    groups: {
      text: 'Сообщения', call: 'Звонки', form: 'Формы', note: 'Заметки', assigned: 'Назначения', status: 'Смена состояния',
      delivery: 'Доставка', step: 'Следующие шаги', other: 'Прочие изменения',
    },
  },
  meaning: {
    label: 'Какое прошлое',
    name: { known: 'Что мы знали тогда', happened: 'Что к тому времени произошло' },
    hint: {
      known: 'Ровно то, что оператор видел в тот момент.',
      happened: 'И то, о чём мы узнали только потом.',
    },
    banner: {
      known: (time) => `Что мы знали: ${time}`,
      happened: (time) => `Что произошло к моменту: ${time}`,
    },
    list: 'Показать список, каким он был в выбранный момент',
  },
  why: {
    title: 'Почему это здесь?',
    menu: 'Подробнее об этой записи',
    ask: 'Почему?',
    because: {
      item: 'Пришло из канала',
      operator: 'Сделал оператор',
      reply: 'Это сообщили о нашем ответе',
      rule: 'Сработало правило Okno',
    },
    by: (name) => `сделал(а): ${name}`,
    asked_by: (name) => `ответ отправил(а): ${name}`,
    raw: 'Как пришло из канала',
    conversation: (reason) => `В этом обращении, потому что: ${reason}`,
    score: (score) => `оценка ${score}`,
    chain: 'Что к этому относится',
    relation: {
      this: 'эта запись', item: 'из того же входящего', together: 'тем же действием', about: 'что с этим стало', answers: 'на что это ответ',
    },
    attempts: 'Путь к провайдеру',
    attempt: (number, tries) => `Попытка ${number}, пробовали ${times(tries)}`,
    relayed: (time) => `передано на отправку ${time}`,
    answered: (text) => `провайдер ответил: ${text}`,
    position: (position) => `событие ${position}`,
  },
}

export const kindsRu: typeof kindsEn = {
  delivery_retried: 'Отправлено ещё раз', delivery_failed: 'Не доставлено', delivery_unknown: 'Доставка под вопросом', delivery_delayed: 'Доставка задерживается',
  delivery_bounced: 'Вернулось', delivery_complained: 'Помечено как спам', identity_linked: 'Добавлен адрес', erased: 'Стёрто навсегда',
}
