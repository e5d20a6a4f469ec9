/** English words of an operator's own signature. */
export const signature = {
  below: 'Below your mail',
  add: 'Add a signature',
  change: 'Change my signature',
  label: 'My signature, below every mail of mine',
  hint: 'Filled in for each mail: {operator}, {organisation}, {channel}, {address}. Empty: the signature of the mailbox.',
  keep: 'Save',
}
