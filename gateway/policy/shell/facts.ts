import type { Facts } from '../../../schemas/frame.ts'
import { MAX_SHELL_BYTES } from './parse.ts'
import { walkText } from './walk.ts'

export { loadShell } from './parse.ts'

/**
 * What a text for a shell says, everything in it together: commands in wrappers, substitutions, functions, texts given to other
 * shells. A program that bash would run is named, or `analysable` is false. Flags and lists that would be false or empty are left out.
 */
export interface ShellFacts extends Facts {
  /** Read completely. Everything but `size` and `analysable` is absent where it is false. */
  readonly parse_ok: boolean
  /** Everything that runs can be told from the text. */
  readonly analysable: boolean
  /** Bytes of the text in UTF-8. */
  readonly size: number
  /** Why not: `command:$c`, `eval`, `file:./x.sh`, `code:python3`, `stdin:bash`, `runs:git config`, `variable:PATH` ... */
  readonly opaque?: readonly string[]
  /** Names of programs and builtins, those of the system without their folder. */
  readonly programs?: readonly string[]
  /** Each command as bash would run it, in one spelling: quotes only where needed, `$x` and `$()` for what is not known. */
  readonly commands?: readonly string[]
  /** `cat /etc/passwd`: a program and a path among its words, from the root or `~`. */
  readonly paths?: readonly string[]
  /** `> /tmp/x`, `>> log`, `< in`, `<> both`. */
  readonly redirects?: readonly string[]
  /** `curl example.com`: a program and a host among its words; `*` where it is not known. */
  readonly hosts?: readonly string[]
  /** `tar|gzip|ssh` */
  readonly pipes?: readonly string[]
  /** A program that talks to other machines, or a host among the words of another. */
  readonly network?: boolean
  /** A word of a command, or the file of a redirection, is not known. */
  readonly dynamic_arguments?: boolean
  readonly background?: boolean
  /** Something runs as somebody else: sudo, su, doas ... */
  readonly elevates?: boolean
}

/** Asked several times for each message. */
let lastText = ''
let lastFacts: ShellFacts | undefined

/** The facts of a command text, as `ssh host TEXT` sends it. Never throws once `loadShell` is through; bounded in time. Nobody writes to the result. */
export function shellFacts(text: string): ShellFacts {
  if (lastFacts !== undefined && text === lastText) return lastFacts
  const facts = readShell(text)
  lastText = facts.size > MAX_SHELL_BYTES ? '' : text
  lastFacts = facts.size > MAX_SHELL_BYTES ? undefined : facts
  return facts
}

/** No control character but tab and line end stands in a command somebody reads; shells and people take some of them differently. */
const CONTROL = /[\0-\x08\x0b-\x1f\x7f]/

function readShell(text: string): ShellFacts {
  const size = Buffer.byteLength(text)
  const found = CONTROL.test(text) ? undefined : walkText(text)
  if (found === undefined) return { parse_ok: false, analysable: false, size }
  const lists = {
    opaque: found.opaque,
    programs: found.programs,
    commands: found.commands,
    paths: found.paths,
    redirects: found.redirects,
    hosts: found.hosts,
    pipes: found.pipes,
  }
  const flags = {
    network: found.network,
    dynamic_arguments: found.dynamicArguments,
    background: found.background,
    elevates: found.elevates,
  }
  return {
    parse_ok: true,
    analysable: found.opaque.size === 0,
    size,
    ...Object.fromEntries(Object.entries(lists).flatMap(([name, values]) => (values.size > 0 ? [[name, [...values]]] : []))),
    ...Object.fromEntries(Object.entries(flags).filter(([, set]) => set)),
  }
}
