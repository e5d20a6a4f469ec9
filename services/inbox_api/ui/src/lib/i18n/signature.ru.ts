/** Russian words of an operator's own signature. */
export const signature = {
  below: 'Под письмом',
  add: 'Добавить подпись',
  change: 'Изменить мою подпись',
  label: 'Моя подпись, под каждым моим письмом',
  hint: 'В каждое письмо подставляются {operator}, {organisation}, {channel}, {address}. Пусто: подпись ящика.',
  keep: 'Сохранить',
}
