import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Programs that run as they are, once they are written down; every other name of the list is a program that does nothing. */
const REAL =
  `env nice nohup timeout xargs find setsid stdbuf cat tee head sort bash sh sed awk grep true false echo printf seq basename chmod`.split(
    ' ',
  )
const STUBS = `p1 p2 p3 p4 curl wget ssh nc rm ls id date git tar sudo python3 kubectl x.sh`.split(' ')

/** A program that bash started: its name and its words. */
export interface Execution {
  readonly name: string
  readonly args: readonly string[]
}

/** A real bash, in a folder of its own, whose PATH has nothing but programs that write down how they were called. */
export class RealBash implements Disposable {
  readonly home: string
  readonly #bin: string
  readonly #log: string
  readonly #work: string

  constructor() {
    this.home = mkdtempSync(join(tmpdir(), 'sallyport-bash-'))
    this.#bin = join(this.home, 'bin')
    this.#log = join(this.home, 'log')
    this.#work = join(this.home, 'work')
    mkdirSync(this.#bin)
    const note = `printf '%s\\0' "\${0##*/}" "$@" $'\\1' >> ${this.#log}`
    for (const name of STUBS) this.#program(name, note)
    for (const name of REAL) {
      const path = spawnSync('/bin/sh', ['-c', `PATH=/usr/bin:/bin command -v ${name}`])
        .stdout.toString()
        .trim()
      this.#program(name, `${note}\nexec ${path.startsWith('/') ? path : `/usr/bin/${name}`} "$@"`)
    }
  }

  #program(name: string, body: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/bash -p\n${body}\n`)
    chmodSync(join(this.#bin, name), 0o755)
  }

  /** Runs the text as sshd would, `bash -c TEXT`, without input, two seconds at most; what it started, in the order of the log. */
  run(text: string): readonly Execution[] {
    rmSync(this.#work, { recursive: true, force: true })
    rmSync(this.#log, { force: true })
    mkdirSync(this.#work)
    spawnSync(
      '/usr/bin/timeout',
      ['-k', '1', '2', '/bin/bash', '-c', `ulimit -t 2 -f 4096 -v 1000000; exec /bin/bash -c "$1"`, 'limits', text],
      {
        cwd: this.#work,
        env: { PATH: this.#bin, HOME: this.#work, FUNCNEST: '20', LC_ALL: 'C.UTF-8' }, // The pipe ends when the last process that the text started has, those in the background too.
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    )
    return this.#executions()
  }

  #executions(): readonly Execution[] {
    let log: string
    try {
      log = readFileSync(this.#log, 'utf8')
    } catch {
      return []
    }
    return log
      .split('\x01\0')
      .filter((record) => record !== '')
      .map((record) => {
        const [name = '', ...args] = record.split('\0').slice(0, -1)
        return { name, args }
      })
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true })
  }
}
