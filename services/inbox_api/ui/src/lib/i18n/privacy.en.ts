/** English: what was erased, where operators meet it. */
export const privacy = {
  title: 'Privacy',
  lead: 'Erasures, how long content is kept, and holds.',
  content: 'The content was erased.',
  person: 'Erased client',
  erased: (date: string) => `This client was erased on ${date}. When and how often they wrote stays; what they wrote is gone for good.`,
  erased_since: 'This client was erased. When and how often they wrote stays; what they wrote is gone for good.',
  erase: 'Erase this client for good…',
}
