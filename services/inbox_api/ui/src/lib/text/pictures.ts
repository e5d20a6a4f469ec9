/** Pictures that stand in the text of a mail: Markdown names them by a content id. Pure. */
import type { UploadedFile } from '../api/types'

export const isPicture = (file: UploadedFile): boolean => /^image\/(png|jpeg|gif|webp)$/.test(file.media_type)

/** The file with a name for it, the same for the same bytes. */
export const named = (file: UploadedFile): UploadedFile => ({ ...file, content_id: `${file.sha256.slice(0, 24)}@okno` })

/** The text with the picture where the caret is, on a line of its own. */
export function placed(text: string, file: UploadedFile, caret: number): string {
  const before = text.slice(0, caret)
  const after = text.slice(caret)
  const label = file.name.replace(/[[\]\n]/g, ' ').trim()
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}![${label}](cid:${named(file).content_id})${after.startsWith('\n') ? '' : '\n'}${after}`
}
