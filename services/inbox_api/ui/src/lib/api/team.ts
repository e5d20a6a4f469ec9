/** The team; only an admin may ask. */
import { request } from './client'
import type { Colleague, Operator } from './types'

/** `setup`: the one-time link, which is never told again. */
export type Invited = Colleague & { setup: string }

export const team = {
  invite: (email: string, name: string, role: Operator['role']) => request<Invited>('POST', '/operators', { email, name, role }),
  link: (id: string) => request<Invited>('POST', `/operators/${id}/link`, {}),
  lock: (id: string) => request<Colleague>('POST', `/operators/${id}/lock`, {}),
  change: (id: string, role: Operator['role']) => request<Colleague>('PATCH', `/operators/${id}`, { role }),
}
