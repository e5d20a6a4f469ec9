import type { ledgerTexts as shape } from './ledger.en'

const rules = new Intl.PluralRules('ru')
const many = (count: number, one: string, few: string, other: string): string => {
  const form = rules.select(count)
  return `${count} ${form === 'one' ? one : form === 'few' ? few : other}`
}
const events = (count: number) => many(count, 'событие', 'события', 'событий')

export const ledgerTexts: typeof shape = {
  title: 'Журнал полноты',
  lead: 'Что пришло по каждому каналу и что из этого на месте. То же, что «okno audit», который читает ещё и байты файлов.',
  since: 'Записано за',
  spans: { day: '24 часа', week: '7 дней', month: '30 дней', all: 'всё время' },
  complete: (count) => `Всё на месте: ${events(count)}.`,
  missing: (count) => `${many(count, 'пробел', 'пробела', 'пробелов')}: чего-то, что должно быть, нет.`,
  counting: 'Просматриваем журнал событий…',
  empty: 'Каналов пока нет.',
  unnamed: 'Удалённый канал',
  columns: {
    channel: 'Канал', received: 'Получено', stored: 'Записано', shown: 'Показано', quarantined: 'В карантине', asked: 'Ответов дано', sent: 'Ответов отправлено',
    failed: 'Ответов не отправлено', unknown: 'Судьба ответа неизвестна', on_the_way: 'В пути',
  },
  meaning: {
    received: 'Что отдал нам канал', stored: 'есть в журнале событий', shown: 'есть в ленте клиента', quarantined: 'не понято, исходные байты сохранены',
    asked: 'Ответы, которые дали операторы, у канала, по которому они уходят', sent: 'приняты провайдером', failed: 'не отправлены, причина указана', unknown: 'канал не смог сказать',
    on_the_way: 'получено, но ещё не записано',
  },
  replies: 'Ответы стоят у канала, по которому они уходят: ответы на форму — у почты, которая на неё отвечает.',
  lag: (items) => `отстаёт на ${many(items, 'сообщение', 'сообщения', 'сообщений')}`,
  holes: 'Пробелы',
  hole: { when: 'С какого времени', kind: 'Что', where: 'Канал', what: 'Подробно', done: 'Что сделано' },
  kinds: {
    not_shown: 'нет в ленте', not_in_log: 'показано, но не записано', not_in_index: 'может задвоиться', raw_missing: 'нет исходных байтов', raw_changed: 'исходные байты изменены', unreadable: 'нельзя прочитать', cut_off: 'нет конца журнала',
    file_missing: 'нет файла', file_owed: 'файл ещё не получен', stream_gap: 'события удалены', not_taken_in: 'не принято', not_recorded: 'не записано',
    reply_without_fate: 'судьба ответа неизвестна', gap: 'нам не отдали', away: 'нас не было',
  },
  some_holes: (shown, all) => `Первые ${shown} из ${all}.`,
  open: 'Открыть',
  chain: 'Цепочка хешей',
  chain_lead: 'Хеш каждого события входит в следующий: ничто до головы цепочки нельзя изменить незаметно. Запишите голову в другом месте.',
  head: 'Голова',
  copy: 'Скопировать',
  copied: 'Голова цепочки скопирована',
  no_head: 'В цепочке пока нет ни одного звена.',
  linked: 'звено от',
  unlinked: (count) => `в конце не охвачено: ${events(count)}`,
  verified: 'Последняя проверка',
  never: 'не было',
  by: (who) => `проверил(а) ${who}`,
  as_recorded: (count) => `${events(count)} без изменений`,
  not_as_recorded: 'Изменено',
  verify: 'Проверить сейчас',
  verifying: 'Читаем весь журнал событий…',
  refused: 'Журнал полноты — для администраторов и аналитиков.',
}
