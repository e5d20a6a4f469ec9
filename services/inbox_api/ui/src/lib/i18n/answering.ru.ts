export const answering = {
  answer: 'Ответить на это сообщение',
  to: (name: string) => (name ? `На сообщение ${name}:` : 'На сообщение:'),
  stop: 'Ответить на обращение в целом',
  place: 'В текст',
  place_hint: 'Показать картинку там, где курсор',
}
