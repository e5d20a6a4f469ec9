/** Customers who are one person. */
export const merging = {
  title: 'The same person?',
  may_be: (name: string) => `${name} may be the same person`,
  reason: {
    claimed: (address: string, who: string) => `${who} typed ${address}, which is the other's`,
    vouched: (address: string, who: string) => `the channel vouches that ${address} is also that of ${who}`,
    both: (address: string, _who: string) => `both gave ${address}`,
  },
  accept: 'They are one',
  refuse: 'They are two',
  accepted: 'Shown as one',
  refused: 'Not asked again',
  undo: 'Undo',
  members: 'Merged customers',
  merged: (who: string, when: string) => `merged by ${who}, ${when}`,
  unmerge: 'Un-merge',
  unmerged: 'Shown apart again',
  merge: 'Merge with another customer',
  pick: 'Who is the same person?',
  find: 'Name, e-mail, telephone',
  not_found: 'Nobody found.',
  none: 'Nobody else is known yet.',
  keys: { accept: 'Suggestion: they are one', refuse: 'Suggestion: they are two' },
}

export type MergingTexts = typeof merging
