/** Uploads a file for a reply. XMLHttpRequest, because fetch says nothing of how much has been sent. */
import { Problem, problemFrom } from './problem'
import type { UploadedFile } from './types'

export interface Upload {
  done: Promise<UploadedFile>
  abort: () => void
}

/** `progress` gets what share has been sent, 0 to 1. */
export function upload(file: File, progress: (share: number) => void): Upload {
  const request = new XMLHttpRequest()
  const done = new Promise<UploadedFile>((resolve, reject) => {
    request.upload.onprogress = ({ loaded, total, lengthComputable }) => lengthComputable && progress(loaded / total)
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText) as UploadedFile)
      else void problemOf(request).then(reject)
    }
    request.onerror = () => reject(new Problem(0, 'the connection was lost', null))
    request.onabort = () => reject(new Problem(0, 'aborted', null))
  })
  request.open('POST', `/api/v1/files?${new URLSearchParams({ name: nameOf(file) })}`)
  request.setRequestHeader('X-Okno', '1')
  request.setRequestHeader('Content-Type', file.type || 'application/octet-stream')
  request.send(file)
  return { done, abort: () => request.abort() }
}

const problemOf = (request: XMLHttpRequest): Promise<Problem> =>
  problemFrom(new Response(request.responseText, { status: request.status, statusText: request.statusText }))

/** The server takes names of up to 255 characters; the ending says what the file is. */
export function nameOf({ name }: { name: string }): string {
  const letters = [...name.trim()]
  return letters.length <= 255 ? letters.join('') || 'file' : [...letters.slice(0, 200), '…', ...letters.slice(-50)].join('')
}
