import { posix } from 'node:path'
import { join, showWords, textWord, type Word } from '../../../policy/shell/word.ts'

/**
 * A path as rules read it, like one among the words of a command: from the root, or from the home directory (where one begins) as long as
 * nobody knows where that is. Where it leads at the target is for the target to say.
 */
export function pathFact(path: string, home: string | undefined): string {
  return showWords([textWord('sftp'), wordOf(path, home)])
}

/** The same of what is in a folder, whatever that is: `/x/`, which fits `/x/*`. */
export function insideFact(path: string, home: string | undefined): string {
  return showWords([textWord('sftp'), join([...wordOf(path, home), { kind: 'text', text: '/' }])])
}

function wordOf(path: string, home: string | undefined): Word {
  if (path.startsWith('/')) return textWord(normal(path))
  if (home !== undefined) return textWord(normal(`${home}/${path}`))
  const inside = posix.normalize(path).replace(/\/$/, '')
  if (inside === '.' || inside === '') return [{ kind: 'home' }]
  const above = /^(?:\.\.(?:\/|$))+/.exec(inside)?.[0]
  if (above !== undefined) {
    // Any folder that has this in it, or is it.
    const rest = inside.slice(above.length)
    return [{ kind: 'any', source: '$PWD', many: false }, ...(rest === '' ? [] : textWord(`/${rest}`))]
  }
  return [{ kind: 'home' }, { kind: 'text', text: `/${inside}` }]
}

/** Two slashes at the beginning are one here, whatever POSIX leaves open. */
function normal(path: string): string {
  const whole = posix.normalize(path.replace(/^\/+/, '/'))
  return whole.length > 1 ? whole.replace(/\/$/, '') : whole
}
