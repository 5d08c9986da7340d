import { ShownRow } from './shown-row.ts'
import { type Typed, TypedKeys } from './typed-keys.ts'

/** A line somebody sent off by Enter, as far as it can be told. */
export interface TerminalLine {
  /** What it may be, each of which is worth judging: as typed, and as shown. Empty where nothing can be told, or must not be. */
  readonly texts: readonly string[]
  /** Typed and shown agree. Where they do not, the shell did something of its own: recalled, completed, searched. */
  readonly sure: boolean
  /**
   * Typed, and not shown, so that its text is not given: the answer to a question for a `password`; or `unshown` for no reason to be
   * seen, which is a password nobody asked for in words, or a command after `stty -echo`.
   */
  readonly hidden: 'password' | 'unshown' | null
}

/**
 * A tripwire for terminals: from what a person types and what the terminal shows, the lines that a shell is given. It is no more than
 * that. Aliases, variables, functions, history expansion (`!!`), editors, other programs' prompts and anything run from a file are not
 * seen; a here-document's lines look like commands. It reads both directions in the order they went, and must be fed all of each.
 *
 * Pure: no clock, no I/O. Feed output as it comes; whoever wants recalled lines (arrow up, Ctrl-R) shown in full waits until the output has
 * been quiet for a moment, some 40 ms, before Enter is fed and sent on.
 */
export class TerminalLines {
  readonly #keys = new TypedKeys()
  readonly #row: ShownRow
  readonly #typed = new TextDecoder()
  readonly #shown = new TextDecoder()
  /** What was shown, and where it ended, when the first key of the line was typed. */
  #prompt: { readonly end: number; readonly text: string; readonly ahead: boolean } | undefined
  /** The line's keys came in several pieces, so that their echo should have been seen. */
  #awaited = false

  constructor(columns: number) {
    this.#row = new ShownRow(columns)
  }

  resize(columns: number): void {
    this.#row.resize(columns)
  }

  /** What was typed of this line is what is shown of it: nothing that is still to be shown would tell more. */
  get certain(): boolean {
    if (this.#prompt === undefined) return true
    const { text, sure } = this.#keys.soFar
    return sure && this.#row.from(this.#prompt.end) === text.trimEnd()
  }

  /** What the target sent. */
  output(bytes: Uint8Array): void {
    for (const char of this.#shown.decode(bytes, { stream: true })) this.#row.show(char)
  }

  /**
   * What the client sent; the lines that end in it. Nothing while a program has the whole screen. `ahead`: typed before the line before was sent off, so that nothing
   * of it need be shown yet.
   */
  input(bytes: Uint8Array, ahead = false): readonly TerminalLine[] {
    const lines: TerminalLine[] = []
    this.#awaited = this.#prompt !== undefined
    for (const char of this.#typed.decode(bytes, { stream: true })) {
      this.#prompt ??= { end: this.#row.column, text: this.#row.before(this.#row.column), ahead }
      const typed = this.#keys.key(char)
      if (char !== '\x03' && typed === undefined) continue
      const prompt = this.#prompt
      const awaited = this.#awaited
      this.#prompt = undefined
      this.#awaited = false
      if (typed === undefined || this.#row.fullScreen) continue
      // A question that has come since stands in the row by now.
      const asked = asksForPassword(prompt.ahead ? this.#row.before(this.#row.column) : prompt.text)
      const line = prompt.ahead ? aheadOf(typed, asked) : lineOf(typed, this.#row.from(prompt.end), asked, awaited)
      if (line !== undefined) lines.push(line)
    }
    return lines
  }
}

/** As programs ask: `Password:`, `[sudo] password for ada: `, `Enter passphrase for key '...': `. */
const PASSWORD = /(pass(word|phrase|code)|kennwort|secret|token|\bpin\b|verification code)[^\n]*$/i

/** Each by itself, so that no row is looked at once for every word in it. */
function asksForPassword(shown: string): boolean {
  const question = shown.trimEnd()
  return /[:?]/.test(question.slice(-1)) && PASSWORD.test(question)
}

/** The keys are all there is. */
function aheadOf({ text, sure }: Typed, asked: boolean): TerminalLine | undefined {
  const typed = text.trimEnd()
  if (asked) return { texts: [], sure: false, hidden: 'password' }
  if (typed === '' && sure) return undefined
  return { texts: typed === '' ? [] : [typed], sure, hidden: null }
}

function lineOf({ text, sure }: Typed, shown: string, asked: boolean, awaited: boolean): TerminalLine | undefined {
  const typed = text.trimEnd()
  if (asked && shown === '') return { texts: [], sure: false, hidden: 'password' }
  // Of a paste of several lines the last row shows the last one, which may be empty.
  if (shown === '' && awaited && typed !== '' && !text.includes('\n')) return { texts: [], sure: false, hidden: 'unshown' }
  const texts = [...new Set([typed, shown])].filter((one) => one !== '')
  if (texts.length === 0) return sure ? undefined : { texts, sure: false, hidden: null }
  return { texts, sure: sure && (shown === '' || shown === typed), hidden: null }
}
