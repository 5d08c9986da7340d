import { ApplianceError } from '../../../../schemas/errors.ts'

/** A path of Linux and what stands before it; OpenSSH itself takes 2 KiB. */
const MAX_LINE_SIZE = 8_192
const NEWLINE = 0x0a
const OK = 0

/** What the end that has the files says. */
export type Said =
  | { readonly is: 'file'; readonly bytes: Buffer; readonly name: string; readonly size: number }
  | { readonly is: 'folder'; readonly bytes: Buffer; readonly name: string }
  /** The folder is complete. */
  | { readonly is: 'up'; readonly bytes: Buffer }
  /** Times of the next file. */
  | { readonly is: 'times'; readonly bytes: Buffer }
  | { readonly is: 'data'; readonly bytes: Buffer }
  /** The file is complete, or what was sent of it is not right. */
  | { readonly is: 'end'; readonly bytes: Buffer }
  /** A word about something that cannot be sent, in the place of a file. */
  | { readonly is: 'trouble'; readonly bytes: Buffer }

const FILE = /^C[0-7]{4,5} ([0-9]{1,15}) ([^\n]+)$/
const FOLDER = /^D[0-7]{4,5} [0-9]{1,15} ([^\n]+)$/
const TIMES = /^T[0-9]{1,15} [0-9]{1,6} [0-9]{1,15} [0-9]{1,6}$/
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads that end: lines, and behind one of a file as many bytes as it says, and a word on how that went. */
export class SourceLines {
  #rest: Buffer = Buffer.alloc(0)
  /** Of the file that is being sent. */
  #left = 0
  #ending = false
  #begun = false

  /** The other end does not take the file: where nothing of it has come, nothing will. False where something has. */
  drop(): boolean {
    if (this.#begun) return false
    this.#left = 0
    this.#ending = false
    return true
  }

  /** Throws PROTOCOL_*, and is dead after that. */
  take(chunk: Uint8Array): readonly Said[] {
    let bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    const said: Said[] = []
    while (bytes.length > 0) {
      const one = this.#next(bytes)
      if (one === undefined) break
      said.push(one)
      bytes = bytes.subarray(one.bytes.length)
    }
    if (bytes.length > MAX_LINE_SIZE) throw new ApplianceError('PROTOCOL_OVERSIZE', `a line of scp over ${MAX_LINE_SIZE} bytes`)
    this.#rest = Buffer.from(bytes)
    return said
  }

  #next(bytes: Buffer): Said | undefined {
    if (this.#left > 0) {
      this.#begun = true
      const data = bytes.subarray(0, this.#left)
      this.#left -= data.length
      return { is: 'data', bytes: data }
    }
    const first = bytes[0] ?? 0
    if (this.#ending && first === OK) {
      this.#ending = false
      return { is: 'end', bytes: bytes.subarray(0, 1) }
    }
    const end = bytes.indexOf(NEWLINE)
    if (end === -1) return undefined
    const line = bytes.subarray(0, end + 1)
    if (first === 1 || first === 2) {
      const ending = this.#ending
      this.#ending = false
      return { is: ending ? 'end' : 'trouble', bytes: line }
    }
    if (this.#ending) throw malformed()
    return this.#line(line)
  }

  #line(bytes: Buffer): Said {
    const text = textOf(bytes.subarray(0, -1))
    if (text === 'E') return { is: 'up', bytes }
    if (TIMES.test(text)) return { is: 'times', bytes }
    const folder = FOLDER.exec(text)?.[1]
    if (folder !== undefined) return { is: 'folder', bytes, name: nameOf(folder) }
    const [, digits = '', file] = FILE.exec(text) ?? []
    if (file === undefined) throw malformed()
    this.#left = Number(digits)
    this.#ending = true
    this.#begun = false
    return { is: 'file', bytes, name: nameOf(file), size: this.#left }
  }
}

/** What the end that takes the files answers: one for every line and every file, and one before the first. */
export class SinkAnswers {
  #open = false
  #size = 0

  /** Whether each answer in these bytes takes what was said. Throws PROTOCOL_OVERSIZE. */
  take(chunk: Uint8Array): readonly boolean[] {
    const answers: boolean[] = []
    for (const byte of chunk) {
      if (!this.#open && byte === OK) answers.push(true)
      else if (byte === NEWLINE) {
        this.#open = false
        this.#size = 0
        answers.push(false)
      } else {
        this.#open = true
        if (++this.#size > MAX_LINE_SIZE)
          throw new ApplianceError('PROTOCOL_OVERSIZE', `an answer of scp over ${MAX_LINE_SIZE} bytes`)
      }
    }
    return answers
  }
}

/** One name in one folder, as OpenSSH takes it. */
function nameOf(name: string): string {
  if (name.includes('/') || name.includes('\0') || name === '.' || name === '..')
    throw new ApplianceError('PROTOCOL_MALFORMED', 'a name of scp that leads elsewhere')
  return name
}

function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new ApplianceError('PROTOCOL_MALFORMED', 'a name of scp that is no text in UTF-8')
  }
}

function malformed(): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', 'a line of scp that is none')
}
