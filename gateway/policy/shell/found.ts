import { cpuUs } from './cpu.ts'
import { showWord, showWords, textWord, type Word } from './word.ts'

/** More of one kind than this is no command a person or a program writes; the text then counts as unparsable. */
const MAX_FOUND = 500
/** Commands read of one text, those of loops and texts within it counted each time. */
const MAX_STEPS = 5_000
/** The last resort against a text whose reading costs more than its length tells, in us of this thread's CPU time: what else the machine does changes no verdict. */
const MAX_WALK_US = 250_000
/** Of all facts of one text together, in characters: they are kept on the tape, and shown. */
const MAX_FACTS_LENGTH = 400_000

/** What the walk over a text notes down; one per text, those within it included. */
export class Found {
  readonly programs = new Set<string>()
  readonly commands = new Set<string>()
  /** `cat /etc/passwd`: a program and a path it is given. */
  readonly paths = new Set<string>()
  /** `> /tmp/x`, `< in`, `>> log`. */
  readonly redirects = new Set<string>()
  /** `curl example.com`: a program and a host it is given. */
  readonly hosts = new Set<string>()
  /** `tar|gzip|ssh`: programs of a pipeline. */
  readonly pipes = new Set<string>()
  /** What will run, or be looked at, and cannot be told from the text. */
  readonly opaque = new Set<string>()
  background = false
  elevates = false
  network = false
  dynamicArguments = false
  /** HOME was given another value somewhere: it and `~` may be anything. */
  homeChanged = false
  #steps: { count: number; readonly untilUs: number }
  #length = 0

  constructor(steps = { count: 0, untilUs: cpuUs() + MAX_WALK_US }) {
    this.#steps = steps
  }

  /** Where what is read for a first look is noted, which does not count but for its cost. */
  aside(): Found {
    return new Found(this.#steps)
  }

  command(name: string, words: readonly Word[]): void {
    this.#add(this.programs, name)
    this.#add(this.commands, showWords(words))
  }

  path(program: string, path: Word): void {
    this.#add(this.paths, `${showWord(textWord(program))} ${showWord(path)}`)
  }

  redirect(operator: string, path: Word): void {
    this.#add(this.redirects, `${operator} ${showWord(path)}`)
  }

  host(program: string, host: string): void {
    this.network = true
    this.#add(this.hosts, `${/^[<>]+$/.test(program) ? program : showWord(textWord(program))} ${host}`)
  }

  pipe(programs: readonly string[]): void {
    this.#add(this.pipes, programs.join('|'))
  }

  /** `why` names the kind first, `eval`, `code:python3`, `stdin:bash`; never more of the text than a name. */
  hide(why: string): void {
    this.#add(this.opaque, why.length > 200 ? `${why.slice(0, 200)}...` : why)
  }

  /** One more command; false: enough of them. */
  step(): boolean {
    this.#steps.count += cpuUs() > this.#steps.untilUs ? MAX_STEPS : 1
    return this.#steps.count <= MAX_STEPS
  }

  get overflowing(): boolean {
    return this.#steps.count > MAX_STEPS || this.#length > MAX_FACTS_LENGTH
  }

  #add(set: Set<string>, value: string): void {
    if (set.has(value) || this.overflowing) return
    if (set.size >= MAX_FOUND) this.#length = Number.POSITIVE_INFINITY
    else {
      set.add(value)
      this.#length += value.length
    }
  }
}
