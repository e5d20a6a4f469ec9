/** The live connection. The browser resumes a broken stream by itself (Last-Event-ID); when it gives up, or nothing is
 *  heard for too long, a new stream is opened, which starts at "now", so everything on screen is read again. */
import type { Change } from '../api/types'

const SILENCE_MILLISECONDS = 25_000
const CHECK_MILLISECONDS = 5_000
const LONGEST_WAIT_MILLISECONDS = 15_000

export interface StreamListener {
  change: (change: Change) => void
  /** What is on screen may miss something: read it again. */
  resync: () => void
  /** The server answers, but gives no stream: the session may have ended. */
  refused: () => void
}

export class LiveStream {
  state = $state<'connecting' | 'live' | 'reconnecting'>('connecting')
  behindSeconds = $state(0)

  #source: EventSource | null = null
  #listener: StreamListener | null = null
  #heardAt = 0
  #failures = 0
  #retry = 0
  #watchdog = 0

  start(listener: StreamListener): void {
    this.stop()
    this.#listener = listener
    this.#open()
    this.#watchdog = setInterval(() => this.#check(), CHECK_MILLISECONDS)
    addEventListener('online', this.#wake)
    document.addEventListener('visibilitychange', this.#wake)
  }

  stop(): void {
    this.#source?.close()
    this.#source = null
    this.#listener = null
    clearInterval(this.#watchdog)
    clearTimeout(this.#retry)
    removeEventListener('online', this.#wake)
    document.removeEventListener('visibilitychange', this.#wake)
    this.state = 'connecting'
  }

  #open(): void {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#heardAt = Date.now()
    const source = new EventSource('/api/v1/stream')
    let resumable = false
    source.onopen = () => {
      this.#heard()
      if (!resumable) this.#listener?.resync()
      resumable = true
    }
    source.onerror = () => this.#lost(source)
    source.addEventListener('change', (event: MessageEvent<string>) => {
      this.#heard()
      this.#listener?.change(JSON.parse(event.data) as Change)
    })
    source.addEventListener('resync', () => {
      this.#heard()
      this.#listener?.resync()
    })
    source.addEventListener('alive', (event: MessageEvent<string>) => {
      this.#heard()
      this.behindSeconds = (JSON.parse(event.data) as { behind_seconds?: number }).behind_seconds ?? 0
    })
    this.#source = source
  }

  #heard(): void {
    this.#heardAt = Date.now()
    this.#failures = 0
    this.state = 'live'
  }

  #lost(source: EventSource): void {
    if (source !== this.#source) return
    this.state = 'reconnecting'
    if (source.readyState !== EventSource.CLOSED) return
    this.#listener?.refused()
    const wait = Math.min(LONGEST_WAIT_MILLISECONDS, 500 * 2 ** this.#failures++)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#open(), wait)
  }

  #check(): void {
    if (this.#source?.readyState === EventSource.CLOSED) return
    if (Date.now() - this.#heardAt < SILENCE_MILLISECONDS) return
    this.state = 'reconnecting'
    this.#open()
  }

  readonly #wake = (): void => {
    if (document.visibilityState !== 'visible') return
    if (this.#source?.readyState === EventSource.CLOSED) this.#open()
    else this.#check()
  }
}

export const live = new LiveStream()
