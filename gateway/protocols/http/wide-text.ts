/** A text in UTF-16 or UTF-32, as its NULs tell: every character a detector or a reader of JSON knows has some, and no text in UTF-8 has any. */
export interface Wide {
  readonly unit: 2 | 4
  readonly little: boolean
}

/** As much, from the first NUL on, tells how it is encoded. */
const LOOKED_AT_BYTES = 4096
const MAX_CODE_POINT = 0x10ffff
/** So many characters in a row, each with its NULs, are no chance. */
const RUN = 6

/** How `bytes` would be encoded if they were such a text; undefined where they hold no NUL. */
export function wideOf(bytes: Uint8Array): Wide | undefined {
  const first = bytes.indexOf(0)
  if (first === -1) return undefined
  const from = first - (first % 4)
  const to = Math.min(bytes.length, from + LOOKED_AT_BYTES)
  const nuls = [0, 0, 0, 0]
  for (let at = from; at < to; at++) if (bytes[at] === 0) nuls[at % 4] = (nuls[at % 4] ?? 0) + 1
  const [a = 0, b = 0, c = 0, d = 0] = nuls
  const nearlyAll = Math.max(1, 0.75 * Math.floor((to - from) / 4))
  if (Math.min(c, d) >= nearlyAll) return { unit: 4, little: true }
  if (Math.min(a, b) >= nearlyAll) return { unit: 4, little: false }
  return { unit: 2, little: b + d >= a + c }
}

/** Whether what begins like this is one, and no table of small numbers: all of it are characters, and of four one at least is an ASCII one or there is a mark before them. */
export function isWideText(beginning: Uint8Array, isText: (bytes: Uint8Array) => boolean): boolean {
  const wide = wideOf(beginning)
  if (wide === undefined) return false
  const text = wideText(beginning, wide)
  // The last may be half of a character that is cut.
  const whole = /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text
  if (!whole.isWellFormed() || whole.includes('\ufffd')) return false
  if (!whole.startsWith('\ufeff') && 4 * (whole.match(ASCII)?.length ?? 0) < whole.length) return false
  return isText(Buffer.from(whole))
}

const ASCII = /[\t-\r\x1b -~]/g

/** What is no character becomes U+FFFD; bytes behind the last whole unit are left out. */
export function wideText(bytes: Uint8Array, { unit, little }: Wide): string {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % unit))
  if (unit === 2) return Buffer.from(little ? whole : swapped(whole)).toString('utf16le')
  const view = new DataView(whole.buffer, whole.byteOffset, whole.length)
  const parts: string[] = []
  for (let at = 0; at < whole.length; at += unit) {
    const code = view.getUint32(at, little)
    parts.push(code > MAX_CODE_POINT ? '\ufffd' : String.fromCodePoint(code))
  }
  return parts.join('')
}

export function wideBytes(text: string, { unit, little }: Wide): Buffer {
  if (unit === 2) {
    const bytes = Buffer.from(text, 'utf16le')
    return little ? bytes : bytes.swap16()
  }
  const characters = [...text]
  const bytes = Buffer.alloc(characters.length * unit)
  for (const [at, character] of characters.entries()) {
    const code = character.codePointAt(0) ?? 0
    if (little) bytes.writeUInt32LE(code, at * unit)
    else bytes.writeUInt32BE(code, at * unit)
  }
  return bytes
}

/** Whether a piece of a text, wherever it was cut, holds some characters in a row that are as wide. */
function holdsWide(piece: Uint8Array): boolean {
  const first = piece.indexOf(0)
  if (first === -1) return false
  let run = 0
  let last = first
  for (let at = first + 1; at < piece.length; at++) {
    if (piece[at] === 0 || piece[at - 1] !== 0 || piece[at + 1] !== 0) continue
    run = at - last <= 4 ? run + 1 : 1
    if (run === RUN) return true
    last = at
  }
  return false
}

/** How much of a piece may be the beginning of such a run. */
const TAIL_BYTES = 4 * RUN + 4
const NOTHING = new Uint8Array()

/** Whether a text that comes in pieces has turned out to be so; it is no other from then on. */
export class WideWatch {
  #tail: Uint8Array = NOTHING
  #found = false

  sees(piece: Uint8Array): boolean {
    if (this.#found) return true
    const bytes = this.#tail.length === 0 ? piece : Buffer.concat([this.#tail, piece])
    this.#found = holdsWide(bytes)
    const tail = bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES))
    this.#tail = tail.includes(0) ? tail.slice() : NOTHING
    return this.#found
  }
}

function swapped(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes).swap16()
}
