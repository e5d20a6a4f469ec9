/** A failed request: what the server said (RFC 9457), or that there was no answer (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string | null,
    readonly errors: readonly string[] = [],
  ) {
    super(detail ?? title)
    this.name = 'Problem'
  }

  get unreachable(): boolean {
    return this.status === 0
  }
}

/** Reads an answer that is not 2xx. Any body is accepted: proxies answer in HTML. */
export async function problemFrom(response: Response): Promise<Problem> {
  const body = parsed(await response.text())
  const title = text(body.title) ?? response.statusText ?? ''
  return new Problem(response.status, title || `HTTP ${response.status}`, text(body.detail), fieldErrors(body.errors))
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** RFC 9457 leaves extensions open; its example is a list of {detail, pointer}, which is what most servers send. */
function fieldErrors(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((each: unknown) => {
    if (typeof each === 'string') return [each]
    if (typeof each !== 'object' || each === null) return []
    const { detail, pointer, field } = each as Record<string, unknown>
    const where = text(pointer) ?? text(field)
    return text(detail) ? [where ? `${where}: ${String(detail)}` : String(detail)] : []
  })
}
