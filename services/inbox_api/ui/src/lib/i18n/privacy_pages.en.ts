/** English: the page of privacy and the erasure of a client, loaded when they are opened. */
import type { Erasure, Hold } from '../api/privacy'

export const texts = {
  erase: {
    title: 'Erase for good',
    lead: 'Every message, call, file, note and address of this client, and of all who are shown as one with them, becomes unreadable for everybody: here, in exports made later and in backups. It cannot be undone. Counts, times and durations stay.',
    reason: 'Reason: it is kept for good, so it must name nobody',
    confirm: (word: string) => `Type ${word} to confirm`,
    word: 'ERASE',
    button: 'Erase',
    asked: 'The erasure has begun: the certificate will be on the page Privacy.',
  },
  erasures: {
    title: 'Erasures',
    empty: 'Nothing was erased yet.',
    kind: { customer: 'Client', retention: 'Old content of a channel', lost: 'Keys declared lost' } as Record<Erasure['kind'], string>,
    state: { requested: 'Asked for', recorded: 'Begun', destroyed: 'Keys destroyed', shown: 'Lists made anew', done: 'Done' } as Record<Erasure['state'], string>,
    until: (time: string) => `recorded before ${time}`,
    by: (who: string) => `by ${who}`,
    counts: (events: number, files: number) => `${events} events, ${files} files`,
    certificate: 'Certificate',
    problem: 'It cannot go on, and is tried again:',
    clients: (count: number) => (count === 1 ? 'one client' : `${count} clients`),
  },
  retention: {
    title: 'How long content is kept',
    lead: 'What came by a channel is erased once the whole week it was recorded in is older. Empty: for ever.',
    days: 'days',
    save: 'Save',
    saved: 'Saved',
    sure: (days: number, channel: string) => `Erase for good what came by ${channel} more than ${days} days ago?`,
  },
  holds: {
    title: 'Holds',
    lead: 'Who or what is on hold is not erased, by nobody and by no rule, until somebody releases it.',
    empty: 'Nothing is on hold.',
    kind: { customer: 'Client', channel: 'Channel' } as Record<Hold['kind'], string>,
    customer: 'Id of the client, from the address of their page',
    reason: 'Reason',
    add: 'Put on hold',
    release: 'Release',
    set: (who: string) => `set by ${who}`,
    released: (who: string) => `released by ${who}`,
  },
}
