/** English words of calls, of the operator's own telephone and of what is due. */
export const telephone = {
  telephone: {
    ask: 'Where shall we ring you?',
    hint: 'Your number, or your extension of the PBX. It is remembered.',
    placeholder: '+7 495 123-45-67 or 101',
    keep: 'Remember and call',
    mine: (number: string) => `My telephone: ${number}`,
    change: 'Change my telephone',
  },
  heard: {
    who: 'Who has listened',
    nobody: 'Nobody has listened to it yet.',
  },
  call_card: { responsible: (name: string) => `Responsible: ${name}` },
  due: { overdue: 'Overdue', today: 'Today', later: 'Later', more: 'Show more' },
}
