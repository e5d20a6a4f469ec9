import { momentOf, pathAt, type Meaning, type Moment } from './moment'
import { addressFields, filterOf, type TimelineFilter } from './timeline_filter'

/** The address bar is the only record of where the operator is; a link in the page moves without a reload. */
export type Route =
  | { name: 'inbox' | 'steps' | 'channels' | 'quarantine' | 'fields' | 'import' | 'suggestions' | 'ledger' | 'privacy' | 'team' | 'setup' | 'login' | 'missing' }
  | { name: 'conversation' | 'customer'; id: string }

export const STEPS = '/?show=steps'

export function routeOf(path: string, search = ''): Route {
  const [first, second, ...rest] = path.split('/').filter(Boolean)
  if (rest.length > 0) return { name: 'missing' }
  if (first === undefined) return { name: new URLSearchParams(search).get('show') === 'steps' ? 'steps' : 'inbox' }
  if (first === 'c' && second !== undefined) return { name: 'conversation', id: second }
  if (first === 'customers' && second !== undefined) return { name: 'customer', id: second }
  if (second === undefined && isPage(first)) return { name: first }
  return { name: 'missing' }
}

function isPage(name: string): name is 'channels' | 'quarantine' | 'fields' | 'import' | 'suggestions' | 'ledger' | 'privacy' | 'team' | 'setup' | 'login' {
  return ['channels', 'quarantine', 'fields', 'import', 'suggestions', 'ledger', 'privacy', 'team', 'setup', 'login'].includes(name)
}

class Router {
  path = $state(location.pathname)
  search = $state(location.search)
  route: Route = $derived(routeOf(this.path, this.search))
  /** The moment whose state is shown, or null for the present. */
  moment: Moment | null = $derived(momentOf(this.search))
  asOf: string | null = $derived(this.moment?.at ?? null)

  /** What of the customer's timeline is shown. */
  filter: TimelineFilter = $derived(filterOf(this.search))

  constructor() {
    addEventListener('popstate', () => this.#read())
    addEventListener('click', (event) => this.#follow(event))
  }

  go(url: string, replace = false): void {
    if (url === location.pathname + location.search) return
    if (replace) history.replaceState(null, '', url)
    else history.pushState(null, '', url)
    this.#read()
  }

  /** Shows the same page as of `time`; null is the present. `by`: in which meaning, the one shown unless said. */
  goToTime(time: string | null, by: Meaning = this.moment?.by ?? 'known'): void {
    this.go(pathAt(this.path, time === null ? null : { at: time, by }, addressFields(this.filter)))
  }

  /** Shows of the timeline what fits; each choice takes the place of the one before, so that "back" leaves the page. */
  goToFilter(filter: TimelineFilter): void {
    this.go(pathAt(this.path, this.moment, addressFields(filter)), true)
  }

  /** The address of another page of the same customer: what of the timeline is shown stays so. */
  along(path: string): string {
    return pathAt(path, this.moment, addressFields(this.filter))
  }

  /** The address of another page at the moment that is shown. */
  at(path: string): string {
    return pathAt(path, this.moment)
  }

  #read(): void {
    this.path = location.pathname
    this.search = location.search
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.target || link.origin !== location.origin || link.pathname.startsWith('/api/')) return
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

export const router = new Router()
