import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { loadShell, shellFacts } from '../../../../gateway/policy/shell/facts.ts'
import { type Piece, readWords, type Word } from '../../../../gateway/policy/shell/word.ts'
import { Random } from '../../../support/random.ts'
import { type Execution, RealBash } from '../../../support/real-bash.ts'

// What a real bash executes is compared with what the facts said it would: everything executed must have been foreseen, or the text
// called not analysable.

const bash = new RealBash()
before(loadShell)
after(() => bash[Symbol.dispose]())

function pieceRegex(piece: Piece): string {
  return piece.kind === 'text' ? piece.text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&') : '[^\\x00]*'
}

function wordRegex(word: Word): string {
  const many = word.some((piece) => piece.kind === 'glob' || (piece.kind === 'any' && piece.many))
  return many ? '(?:[^\\x00]*\\x00)*' : `${word.map(pieceRegex).join('')}\\x00`
}

/** Whether one of the commands in the facts may be this execution. */
function isForeseen({ name, args }: Execution, commands: readonly string[]): boolean {
  const called = [name, ...args].map((word) => `${word}\0`).join('')
  return commands.some((line) => new RegExp(`^${readWords(line).map(wordRegex).join('')}$`).test(called))
}

function unforeseen(text: string, executed: readonly Execution[]): readonly string[] {
  const { commands = [] } = shellFacts(text)
  return executed.filter((execution) => !isForeseen(execution, commands)).map(({ name, args }) => [name, ...args].join(' '))
}

/** Texts that are analysable, with the names of what they execute, in any order. */
const CORPUS: readonly (readonly [text: string, executed: string])[] = [
  ['p1 a "b c" \'d e\' f\\ g', 'p1'],
  ["\\p1; \"p1\"; p''1; p\"1\"; $'p1'; $'\\x70\\61';", 'p1 p1 p1 p1 p1'],
  ['p1 \\\n  a b', 'p1'],
  [`c=p1; $c x; "$c" y; \${c} z`, 'p1 p1 p1'],
  ['c="p1 -a"; $c', 'p1'],
  ['c=p; c+=1; $c', 'p1'],
  ['p1 && p2 || p3; p1 | p2 & p3', 'p1 p2 p1 p2 p3'],
  ['p1 {a,b}{c,d} {,x}y', 'p1'],
  ['p1 $(p2 `p3`) "$(p4)" <(p2) > f', 'p1 p2 p2 p3 p4'],
  ['if p1; then p2; else p3; fi; while p1; do p2; break; done; until p1; do p2; done', 'p1 p1 p1 p2 p2'],
  ['for i in a "b c" p3; do p1 $i "$i"; done; for i; do p2; done', 'p1 p1 p1'],
  ['case $HOME in x) p1;; *) p2;; esac', 'p2'],
  ['f() { p1 "$@"; }; f a b; function g { p2; }; g', 'p1 p2'],
  ['{ p1; p2; } > f; ( p3 )', 'p1 p2 p3'],
  [
    'env A=b p1 x; env -i -u B p2 || true; nice -n 3 p3; nohup p4 >f 2>&1; timeout -s KILL 2 p1',
    'env p1 env nice p3 nohup p4 timeout p1',
  ],
  ['command p1; command -v p2; exec p3 a', 'p1 p3'],
  ['eval "p1 a; p2"; eval p3 "\'b c\'"', 'p1 p2 p3'],
  [
    'bash -c "p1 x && p2"; sh -ec \'p3 "$0"\' zero; bash <<\'E\'\np4 $HOME\nE\nbash <<< "p1 here"',
    'bash p1 p2 sh p3 bash p4 bash p1',
  ],
  ['echo a b | xargs p1; echo c | xargs -I{} -n 1 p2 "{}" d; echo | xargs', 'xargs p1 xargs p2 xargs echo'],
  ['find . -maxdepth 0 -exec p1 {} \\; -exec p2 x {} +', 'find p1 p2'],
  ['cat <<E | p1\nx $(p2) $HOME\nE\np4', 'cat p1 p2 p4'],
  ['cat <<-"E" && p1\n\t$(p2)\n\tE\np3', 'cat p1 p3'],
  [`p1 <<A\n$(p4)\nA\np2 $((1 + 2)) "\${x:-$(p3)}" \${#x} # $(p4)`, 'p1 p2 p3 p4'],
  ['trap "p1 bye" EXIT; p2', 'p1 p2'],
  ['! p1; time p2; [[ a == b || -n $(p3) ]] || p4', 'p1 p2 p3 p4'],
  ['x=$(p1) p2; export Y=$(p3); declare z=`p4`', 'p1 p2 p3 p4'],
  ['cd /; p1 etc/*; cd - >f; p2 ~ ~/x "~"', 'p1'],
  ['setsid -w stdbuf -o0 p1; env -S "p2 a"', 'setsid stdbuf p1 env p2'],
]

test('what bash executes of ordinary texts is what the facts say', () => {
  for (const [text, expected] of CORPUS) {
    assert.equal(shellFacts(text).analysable, true, `${text}\n${JSON.stringify(shellFacts(text).opaque)}`)
    const executed = bash.run(text)
    const names = executed.map(({ name }) => name)
    for (const name of expected.split(' '))
      assert.ok(names.includes(name), `${text}\nbash did not run ${name}, but ${names.join(' ')}`)
    assert.deepEqual(unforeseen(text, executed), [], text)
  }
})

/** Texts whose commands are only known when they run, each of which runs p1. */
const EVASIONS: readonly string[] = [
  'a=p b=1; $(echo $a$b)',
  '$(printf "\\160%s" 1)',
  'echo p1 | bash',
  'echo cDEK | sed s/.*/p1/ | sh',
  'eval "$(echo p1)"',
  'read c <<< p1; $c',
  'printf -v c p%s 1; $c',
  `c=(p1); "\${c[@]}"`,
  'set -- p1; "$@"',
  `c=p1; d=c; \${!d}`,
  'shopt -s expand_aliases; alias p9=p1\np9',
  'echo p1 > f; . ./f',
  'echo p1 > f; bash f',
  'echo p1 > f; chmod +x f; ./f',
  "x='a[$(p1)]'; : $((x))",
  "x='a[$(p1)]'; [[ $x -eq 1 ]]",
  `x='$(p1)'; : "\${x@P}"`,
  'IFS=x; c=p1xa; $c',
  "PS4='$(p1)'; set -x; :",
  'p? a || p1',
  'f() { eval "$1"; }; f p1',
  'trap "$(echo p1)" EXIT',
  'coproc p1',
  'declare -n r=c; r=p1; $c',
  "x=p1; x=p2 eval '$x'; p1",
  'env -S "\\x"; p1',
  'awk \'BEGIN { system("p1") }\'',
  'sed -n "1e p1" <<< x; p1',
  'find . -maxdepth 0 -exec sh -c "$(echo p1)" \\;',
  'echo p1 | xargs -I{} sh -c {}',
  'xargs env <<< p1',
  'mapfile -C "p1 #" -c 1 a <<< x',
  '`echo p\\1`',
]

test('what only shows when it runs is called not analysable', () => {
  for (const text of EVASIONS) {
    assert.equal(shellFacts(text).analysable, false, text)
    assert.ok(
      bash.run(text).some(({ name }) => name === 'p1'),
      `${text}: bash does not run p1`,
    )
  }
})

const TOKENS = [
  'p1',
  ...`p1 p2 p3 x y=p4 $y "$y" '$y' ; && || | & \n ( ) { } { ; } if then else fi for in do done while p1 until case esac $( ) \` \` " ' \\ > f >> f < f
  2>&1 <<E \nE\n <<'E' \nE\n <<<a #c $'p1' $"p2" p{1,2} ~ * [ ] [[ ]] (( )) $((1)) \${y} \${z:-p3} ! time eval exec command env xargs = += y= f() a=(1) -c bash
  sh coproc p1\\\n2 . "p"1 , .. {1..2} export function select local %s -- return break p1& <(p2) >(p3) |& &> >| ;; *) echo printf true false test 1 0 -n \\\n`.split(
    / +/,
  ),
] as const

test('of random texts made of what shells take apart, bash executes nothing that was not foreseen', () => {
  const count = Number(process.env['SALLYPORT_FUZZ'] ?? 60)
  // The same texts every time: a run that finds something new is for whoever asks for one (SALLYPORT_FUZZ, SALLYPORT_SEED).
  const seed = Number(process.env['SALLYPORT_SEED'] ?? 1_795_912_166_783)
  const random = new Random(seed)
  for (let analysable = 0; analysable < count; ) {
    const text = Array.from({ length: random.between(2, 10) }, () => random.pick(TOKENS) + (random.chance(0.2) ? '' : ' ')).join(
      '',
    )
    const facts = shellFacts(text)
    if (!facts.analysable || facts.programs === undefined) continue
    analysable++
    assert.deepEqual(
      unforeseen(text, bash.run(text)),
      [],
      `seed ${seed}: ${JSON.stringify(text)} ${JSON.stringify(facts.commands)}`,
    )
  }
})
