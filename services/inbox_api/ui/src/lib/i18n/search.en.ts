/** Texts of the search. */
export const search = {
  title: 'Search',
  placeholder: 'Words, a name, an address, a number; “exact words”',
  nothing: 'Nothing was found.',
  hint: 'Messages, notes, customers, files and what lies in quarantine, the newest first.',
  behind: (count: number) => `The last ${count} events are not in the index yet.`,
  in_quarantine: 'Quarantine',
  kinds: { text: 'Message', form: 'Form', call: 'Call', note: 'Note', customer: 'Customer', quarantine: 'Quarantine' },
}
