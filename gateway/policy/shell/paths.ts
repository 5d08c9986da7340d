import { cut } from './options.ts'
import type { Scope } from './scope.ts'
import { isKnown, join, literalOf, type Piece, prefixOf, type Word } from './word.ts'

/** Programs whose every word that is no option is a file: a bare `shadow` too. */
const FILE_PROGRAMS = new Set(
  `cat tac nl head tail less more most bat cut paste sort uniq wc od xxd hexdump strings base64 base32 basenc file stat ls dir vdir cp mv ln rm
  rmdir mkdir touch chmod chown chgrp install dd tee split csplit cmp diff comm join tar zip unzip gzip gunzip zcat bzip2 bzcat xz xzcat zstd
  zstdcat 7z 7za cpio ar rsync scp source . tree du df find fd rg grep egrep fgrep zgrep awk gawk mawk sed perl python python3 ruby node
  shred truncate md5sum sha1sum sha256sum sha512sum cksum b2sum openssl gpg age curl readlink realpath pr fold fmt expand rev column jq yq
  iconv dos2unix patch chattr lsattr setfacl getfacl mount umount losetup mkfs wipefs fallocate sponge pv visudo crontab look tsort shuf
  xmllint csvcut vi vim nano ed ex view emacs`.split(/\s+/),
)

/** Programs whose words are text, whatever they look like. */
const TEXT_PROGRAMS = new Set([
  'echo',
  'printf',
  'expr',
  'logger',
  'sleep',
  'seq',
  'kill',
  'exit',
  'return',
  'true',
  'false',
  ':',
  'date',
  'wall',
  'banner',
  'git-commit',
])

const PATTERN_FIRST = new Set([
  'grep',
  'egrep',
  'fgrep',
  'zgrep',
  'rg',
  'ag',
  'awk',
  'gawk',
  'mawk',
  'nawk',
  'sed',
  'gsed',
  'jq',
  'yq',
  'tr',
])

export function takesText(program: string): boolean {
  return TEXT_PROGRAMS.has(program)
}

/** The words of a command that may name files, each wherever the shell may be. */
export function pathsOf(program: string, args: readonly Word[], scope: Scope): Word[] {
  if (takesText(program)) return []
  // Of these the first word that is no option is a pattern or a program.
  const text = PATTERN_FIRST.has(program) ? args.find((arg) => !prefixOf(arg).startsWith('-')) : undefined
  return args
    .filter((arg) => arg !== text)
    .flatMap((arg) => candidates(program, arg))
    .flatMap((word) => resolvePath(word, scope))
}

function candidates(program: string, arg: Word): Word[] {
  const start = prefixOf(arg)
  if (/^[a-z+]+:\/\//i.test(start)) return start.startsWith('file://') ? [cut(arg, 7)] : []
  const value = /^(--?[A-Za-z0-9_-]+=|[A-Za-z_][A-Za-z0-9_.-]*=)?@?/.exec(start)?.[0] ?? ''
  const word = cut(arg, value.length)
  if (value === '' && start.startsWith('-')) {
    // -f/etc/x, -d@/etc/x
    const rest = cut(arg, 2)
    return /^[@/~]/.test(prefixOf(rest)) || rest[0]?.kind === 'home' ? [prefixOf(rest).startsWith('@') ? cut(rest, 1) : rest] : []
  }
  const text = literalOf(word)
  if (text?.includes(':') && text.slice(0, text.indexOf(':')).includes('/'))
    return text
      .split(':')
      .filter((part) => part.includes('/'))
      .map((part) => [{ kind: 'text', text: part }])
  const remote = /^(?:[^@/:]+@)?[^/:@]+:(?=[/~.])/.exec(prefixOf(word))?.[0]
  if (remote !== undefined) return [cut(word, remote.length)]
  const looks = word.some(
    (piece) => piece.kind === 'home' || piece.kind === 'glob' || (piece.kind === 'text' && /[/.]/.test(piece.text)),
  )
  const known = word.some((piece) => piece.kind !== 'any')
  if (word.length === 0 || !known) return []
  return looks || FILE_PROGRAMS.has(program) ? [word] : []
}

const SLASH: Piece = { kind: 'text', text: '/' }

/** The word as a path from the root or the home directory, for each place the shell may be; `..` and `.` resolved where they are text. */
export function resolvePath(word: Word, scope: Pick<Scope, 'cwds'>): Word[] {
  if (prefixOf(word).startsWith('/') || word[0]?.kind === 'home') return [normalise(word)]
  if (word[0]?.kind === 'any') return [word]
  if (scope.cwds.length === 0) return [normalise([{ kind: 'any', source: '$PWD', many: false }, SLASH, ...word])]
  return scope.cwds.map((cwd) => normalise([...cwd, SLASH, ...word]))
}

/** Components that are text alone are resolved; above an unknown place nothing is known. */
function normalise(word: Word): Word {
  const components: Piece[][] = [[]]
  for (const piece of word) {
    if (piece.kind !== 'text') components.at(-1)?.push(piece)
    else {
      const [first = '', ...rest] = piece.text.split('/')
      components.at(-1)?.push({ kind: 'text', text: first })
      for (const part of rest) components.push(part === '' ? [] : [{ kind: 'text', text: part }])
    }
  }
  const kept: Word[] = []
  for (const [index, component] of components.entries()) {
    const whole = join(component)
    const text = literalOf(whole)
    if (index > 0 && (text === '' || text === '.')) continue
    if (text !== '..') {
      kept.push(whole)
      continue
    }
    // The root's parent is the root; what is above the home directory, or above what is not known, may be anything.
    if (kept.length === 1 && literalOf(kept[0]) === '') continue
    if (kept.length === 1 || !isKnown(kept.at(-1) ?? []))
      kept.splice(0, kept.length, [{ kind: 'any', source: '$PWD', many: false }])
    else kept.pop()
  }
  if (kept.length === 1 && literalOf(kept[0]) === '') return [SLASH]
  return join(kept.flatMap((component, index): Word => (index === 0 ? component : [SLASH, ...component])))
}
