import { attributionOf } from '../../identity/attribution.ts'
import type { Size, Terminal } from './output.ts'

/** The signals SSH knows (RFC 4254, 6.10). */
export const SIGNALS = new Set([
  'ABRT',
  'ALRM',
  'FPE',
  'HUP',
  'ILL',
  'INT',
  'KILL',
  'PIPE',
  'QUIT',
  'SEGV',
  'TERM',
  'USR1',
  'USR2',
])

/** Names of terminal types as terminfo has them, or none, as of a client that knows of no terminal; the library miscounts any other. */
const TERM = /^([A-Za-z0-9][A-Za-z0-9+._-]{0,63})?$/
/** What sshd takes by default (AcceptEnv LANG LC_*), the language and time of the client: no variable that changes what a command does. */
const ENV_NAME = /^(LANG|LANGUAGE|LC_[A-Z_]{1,32}|TZ|COLORTERM|NO_COLOR)$/
const ENV_VALUE = /^[A-Za-z0-9_.,:@/+=-]{0,128}$/
/** No screen has more, and a terminal emulator that replays the session has to allocate it. */
const MAX_CELLS = 10_000

/** What a client says of its terminal; undefined where that is nothing a terminal could be. */
export function terminalOf(info: Size & { readonly term?: string }): Terminal | undefined {
  const { term = '' } = info
  return TERM.test(term) ? { term, ...sizeOf(info) } : undefined
}

export function sizeOf({ cols, rows, width, height }: Size): Size {
  return { cols: Math.min(cols, MAX_CELLS), rows: Math.min(rows, MAX_CELLS), width, height }
}

/** Variables that tell what the work is (`ssh -o SendEnv=...`, `SetEnv`). */
const WORK_ENV: ReadonlySet<string> = new Set(['SALLYPORT_RUN', 'SALLYPORT_PURPOSE', 'TRACEPARENT'])
/** As sshd has it. */
const MAX_VARIABLES = 128

/** The variables a client asks for, of which those that are known are taken. */
export class Environment {
  readonly #passed = new Map<string, string>()
  readonly #work = new Map<string, string>()

  /** Whether it is taken. */
  take(name: string, value: string): boolean {
    const into = allowedEnv(name, value) ? this.#passed : WORK_ENV.has(name) ? this.#work : undefined
    if (into === undefined || (into.size >= MAX_VARIABLES && !into.has(name))) return false
    into.set(name, value)
    return true
  }

  /** Passed on. */
  get passed(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#passed)
  }

  /** What the work is: recorded, and not passed on. */
  get work(): Readonly<Record<string, string>> {
    return attributionOf({
      run: this.#work.get('SALLYPORT_RUN'),
      purpose: this.#work.get('SALLYPORT_PURPOSE'),
      traceparent: this.#work.get('TRACEPARENT'),
    })
  }
}

/** Whether the variable is passed on. */
export function allowedEnv(name: string, value: string): boolean {
  return ENV_NAME.test(name) && ENV_VALUE.test(value)
}
