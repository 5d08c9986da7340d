/** What a client of the old protocol of scp has run at the target. */
export interface ScpCommand {
  /** `to`: files are put there; `from`: fetched. */
  readonly direction: 'to' | 'from'
  readonly paths: readonly string[]
  /** Said by the client that the path is a folder. */
  readonly folder: boolean
}

const PROGRAM = /^(\/[\w./-]+\/)?scp$/
const OPTIONS = /^-[46BCdfpqrtvT]+$/

/**
 * The command, where it is nothing but scp as a client has it run; undefined for anything else, which is judged as the command it is. Patterns are left as they
 * stand: the shell makes names of them.
 */
export function scpCommand(command: string): ScpCommand | undefined {
  const [program = '', ...rest] = words(command) ?? []
  if (!PROGRAM.test(program)) return undefined
  const end = rest.findIndex((word) => word === '--' || !word.startsWith('-'))
  const options = end === -1 ? rest : rest.slice(0, end)
  const paths = end === -1 ? [] : rest.slice(rest[end] === '--' ? end + 1 : end)
  const letters = options.join('')
  const [to, from] = [letters.includes('t'), letters.includes('f')]
  if (!options.every((word) => OPTIONS.test(word)) || to === from || paths.length === 0) return undefined
  if (to && paths.length > 1) return undefined
  return { direction: to ? 'to' : 'from', paths, folder: letters.includes('d') }
}

/** The words of a command in which the shell has nothing to do but to quote; undefined where it would do more. */
function words(command: string): string[] | undefined {
  const found: string[] = []
  const piece = /\s+|'([^']*)'|"([^"$`\\]*)"|\\([^\n])|([^\s'"\\$`;&|<>()#!{}\n]+)/gy
  let word: string | undefined
  for (let at = 0; at < command.length; at = piece.lastIndex) {
    piece.lastIndex = at
    const match = piece.exec(command)
    if (match === null) return undefined
    const [whole, single, double, escaped, plain] = match
    const text = single ?? double ?? escaped ?? plain
    if (text === undefined) {
      if (whole.includes('\n')) return undefined
      if (word !== undefined) found.push(word)
      word = undefined
    } else word = (word ?? '') + text
  }
  return word === undefined ? found : [...found, word]
}
