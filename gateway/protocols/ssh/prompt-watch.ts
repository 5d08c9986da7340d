/** A question is no longer than a line. */
const LOOKED_AT = 160
/** What asks for a secret at the end of what was written: `Password:`, `Enter passphrase for key '...':`, `[sudo] password for ada:`. */
const ASKS = /(pass(word|phrase|code)|\bPIN|secret|token|verification code)[^\r\n]{0,100}[:?] ?$/i
const CONTROL = /\u001b\[[0-?]*[ -/]*[@-~]/g

/**
 * Whether what is typed next answers a question for a secret. Programs switch the echo off where they ask for one, which the
 * protocol does not tell; the question stands in their output.
 */
export class PromptWatch {
  #last = ''
  #asked = false

  /** What the program wrote, of any of its streams. */
  wrote(bytes: Uint8Array): void {
    this.#last = (this.#last + Buffer.from(bytes.subarray(-LOOKED_AT)).toString('latin1')).slice(-LOOKED_AT)
    this.#asked = ASKS.test(this.#last.replaceAll(CONTROL, ''))
  }

  /** Whether this input is (part of) a secret. The answer ends with its line. */
  typed(bytes: Uint8Array): boolean {
    const asked = this.#asked
    if (asked && (bytes.includes(0x0d) || bytes.includes(0x0a))) {
      this.#asked = false
      this.#last = ''
    }
    return asked
  }
}
