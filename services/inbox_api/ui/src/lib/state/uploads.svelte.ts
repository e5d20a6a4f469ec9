/** Files on their way to the server, to be sent with an answer. */
import { Problem } from '../api/problem'
import type { UploadedFile } from '../api/types'
import { upload } from '../api/upload'

export interface Uploading {
  id: string
  name: string
  size: number
  share: number
  problem: Problem | null
}

export class Uploads {
  list = $state<Uploading[]>([])
  readonly #aborts = new Map<string, () => void>()

  /** `arrived` gets each file that the server has. */
  constructor(private readonly arrived: (file: UploadedFile) => void) {}

  get busy(): boolean {
    return this.list.some((each) => each.problem === null)
  }

  add(files: Iterable<File>): void {
    for (const file of files) void this.#send(file)
  }

  remove(id: string): void {
    this.list = this.list.filter((each) => each.id !== id)
    this.#aborts.get(id)?.()
  }

  async #send(file: File): Promise<void> {
    const id = crypto.randomUUID()
    this.list.push({ id, name: file.name, size: file.size, share: 0, problem: null })
    const { done, abort } = upload(file, (share) => this.#change(id, { share }))
    this.#aborts.set(id, abort)
    try {
      this.arrived(await done)
      this.remove(id)
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      this.#change(id, { problem: cause })
    } finally {
      this.#aborts.delete(id)
    }
  }

  #change(id: string, changes: Partial<Uploading>): void {
    this.list = this.list.map((each) => (each.id === id ? { ...each, ...changes } : each))
  }
}
