/** English: the page of the team, loaded when it is opened. */
import type { Colleague, Operator } from '../api/types'

export const texts = {
  lead: 'Who answers clients here. What somebody who is locked was working on stays theirs until you give it to others.',
  role: { admin: 'Admin', operator: 'Operator', analyst: 'Analyst, reads only' } satisfies Record<Operator['role'], string>,
  role_of: (name: string) => `Role of ${name}`,
  access: { active: 'Active', invited: 'Invited', locked: 'Locked' } satisfies Record<Colleague['access'], string>,
  you: 'you',
  signed_in: 'signed in',
  never: 'has not signed in yet',
  email: 'E-mail',
  name: 'Name',
  invite: 'Invite',
  new_link: 'New link',
  let_in: 'Let in again',
  lock: 'Lock',
  sure: (name: string) => `Lock ${name}? They are signed out everywhere at once; their password, tokens and links work no more.`,
  sure_admin: (name: string) => `Make ${name} an admin? They may then do everything here, also erase clients and lock others.`,
  locked: (name: string) => `${name} is locked`,
  role_set: (name: string, role: string) => `${name}: ${role}`,
  link_for: (name: string) => `The link for ${name}. It sets a new password, works once and for seven days, and is not shown again:`,
  copy: 'Copy',
  copied: 'Copied',
  assigned: 'What is assigned to them',
  nothing: 'Nothing is assigned to them.',
}
