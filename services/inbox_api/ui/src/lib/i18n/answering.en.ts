export const answering = {
  answer: 'Reply to this message',
  to: (name: string) => (name ? `To ${name}:` : 'To:'),
  stop: 'Reply to the conversation instead',
  kept: 'Not sent; it is kept here',
  carry: 'Go on writing there',
  place: 'Into the text',
  place_hint: 'Show the picture where the cursor is',
}
