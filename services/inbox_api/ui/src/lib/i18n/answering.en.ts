export const answering = {
  answer: 'Reply to this message',
  to: (name: string) => (name ? `To ${name}:` : 'To:'),
  stop: 'Reply to the conversation instead',
  place: 'Into the text',
  place_hint: 'Show the picture where the cursor is',
}
