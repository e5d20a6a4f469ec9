/** English: filters of a timeline, the two meanings of a past moment, and why something is there. */
import type { Relation } from '../api/why'
import type { Meaning } from '../moment'
import type { Group } from '../timeline_filter'

export const timelineEn = {
  until: (time: string) => `until ${time}`,
  filter: {
    label: 'Filter',
    clear: 'Show everything',
    kind: 'What',
    any_kind: 'Everything',
    channel: 'Channel',
    any_channel: 'All channels',
    author: 'By whom',
    any_author: 'Anybody',
    authors: { customer: 'The client', operator: 'Operators', system: 'Okno itself' } as Record<string, string>,
    from: 'From',
    to: 'To',
    nothing: 'Nothing fits the filter.',
    groups: {
      text: 'Messages', call: 'Calls', form: 'Form entries', note: 'Notes', assigned: 'Assignments', status: 'Status changes',
      delivery: 'Deliveries', step: 'Next steps', other: 'Other changes',
    } as Record<Group, string>,
  },
  meaning: {
    label: 'Which past',
    name: { known: 'What we knew then', happened: 'What had happened by then' } as Record<Meaning, string>,
    hint: {
      known: 'Exactly what an operator saw at that time.',
      happened: 'Also what we came to know of only later.',
    } as Record<Meaning, string>,
    banner: {
      known: (time: string) => `What we knew on ${time}`,
      happened: (time: string) => `What had happened by ${time}`,
    } as Record<Meaning, (time: string) => string>,
    list: 'Show the list as it was at a moment',
  },
  why: {
    title: 'Why is this here?',
    menu: 'More about this entry',
    ask: 'Why?',
    because: {
      item: 'It came in through a channel',
      operator: 'An operator did it',
      reply: 'It was told of a reply of ours',
      rule: 'A rule of Okno did it by itself',
    },
    by: (name: string) => `by ${name}`,
    asked_by: (name: string) => `the reply was asked for by ${name}`,
    raw: 'As the channel gave it',
    conversation: (reason: string) => `It stands in this conversation because: ${reason}`,
    score: (score: number) => `score ${score}`,
    chain: 'What belongs to it',
    relation: {
      this: 'this entry', item: 'same item', together: 'at one stroke', about: 'what became of it', answers: 'what it answers',
    } as Record<Relation, string>,
    attempts: 'On its way to the provider',
    attempt: (number: number, tries: number) => `Attempt ${number}, tried ${tries === 1 ? 'once' : `${tries} times`}`,
    relayed: (time: string) => `handed to the sender ${time}`,
    answered: (text: string) => `the provider answered: ${text}`,
    position: (position: number) => `event ${position}`,
  },
}

/** Words for further kinds of entries. */
export const kindsEn = {
  delivery_retried: 'Sent again', delivery_failed: 'Not delivered', delivery_unknown: 'Delivery uncertain', delivery_delayed: 'Delivery delayed',
  delivery_bounced: 'Came back', delivery_complained: 'Marked as spam', identity_linked: 'Address added', erased: 'Erased for good',
}
