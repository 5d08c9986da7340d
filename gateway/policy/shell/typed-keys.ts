/** Longer lines are cut, and no longer sure. */
export const MAX_LINE_LENGTH = 4_096

/** What was typed of a line, as far as keystrokes alone tell. */
export interface Typed {
  readonly text: string
  /** Only characters and the keys that take the last ones away: nothing that the shell answers by itself. */
  readonly sure: boolean
}

const PASTE_BEGINS = '\x1b[200~'
const PASTE_ENDS = '\x1b[201~'

/**
 * The keys of one terminal, put together to lines. Backspace, Ctrl-W, Ctrl-U and Ctrl-C are done as the line discipline and readline
 * do them; after any other key that edits (arrows, Tab, Ctrl-R, Ctrl-Y ...) the shell knows more of the line than we do.
 */
export class TypedKeys {
  #text = ''
  #sure = true
  #escape = ''
  #pasting = false

  /** Of the line that is not sent off yet. */
  get soFar(): Typed {
    return { text: this.#text, sure: this.#sure }
  }

  /** One character; what was typed before it, where it ends a line. */
  key(char: string): Typed | undefined {
    if (this.#escape !== '' || char === '\x1b') {
      this.#escaped(char)
      return undefined
    }
    // The last is readline's operate-and-get-next.
    if ((char === '\r' || char === '\n' || char === '\x0f') && !this.#pasting) {
      const line = { text: this.#text, sure: this.#sure }
      this.#reset()
      return line
    }
    if (char === '\x7f' || char === '\b') this.#text = withoutLast(this.#text)
    else if (char === '\x17') this.#text = withoutWord(this.#text)
    else if (char === '\x15') this.#text = ''
    else if (char === '\x03') this.#reset()
    else if (char >= ' ' || char === '\n' || (char === '\r' && this.#pasting)) this.#add(char === '\r' ? '\n' : char)
    else this.#sure = false
    return undefined
  }

  #add(char: string): void {
    if (this.#text.length < MAX_LINE_LENGTH) this.#text += char
    else this.#sure = false
  }

  /** A paste is marked by two sequences; every other one is a key that edits. */
  #escaped(char: string): void {
    this.#escape += char
    const sequence = this.#escape
    if (sequence === '\x1b' || (/^\x1b[[O][0-9;?]*$/.test(sequence) && sequence.length < 32)) return
    if (sequence === PASTE_BEGINS) this.#pasting = true
    else if (sequence === PASTE_ENDS) this.#pasting = false
    else this.#sure = false
    this.#escape = ''
  }

  #reset(): void {
    this.#text = ''
    this.#sure = true
  }
}

// Keys come by the ten thousand in one paste: neither may look at the whole line for each.

function withoutLast(text: string): string {
  const pair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(-2))
  return text.slice(0, pair ? -2 : -1)
}

/** Without its last word and the blanks behind it. */
function withoutWord(text: string): string {
  let end = text.trimEnd().length
  while (end > 0 && /\S/.test(text.charAt(end - 1))) end--
  return text.slice(0, end)
}
