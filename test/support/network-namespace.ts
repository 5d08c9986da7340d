import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'

/**
 * The ways a network parts two machines. `link down`: the cable is out, and the kernel soon says that there is no way. `silent`: nothing
 * arrives and nobody says so. `one-way`: what is sent arrives, its answers do not.
 */
export const CUTS = ['link down', 'silent', 'one-way'] as const
export type Cut = (typeof CUTS)[number]

const HERE = 'sp-here'
const THERE = 'sp-there'
/** No card has it: frames sent to it are dropped where they arrive. */
const NOBODY = '02:00:00:00:00:01'

/** A network of its own with one cable to this machine's, as a machine of its own has. Linux, root, iproute2. */
export class NetworkNamespace implements Disposable {
  /** Of the other end. */
  readonly address: string
  readonly #name: string
  readonly #here: string
  readonly #hereAddress: string
  readonly #dispose = (): void => this[Symbol.dispose]()

  private constructor() {
    const id = `${process.pid}-${randomInt(1 << 16)}`
    // 198.18.0.0/15 is for tests of networks (RFC 2544): nobody routes it.
    const net = `198.18.${randomInt(256)}`
    const host = randomInt(64) * 4
    this.#name = `sallyport-${id}`
    this.#here = `${HERE}${randomInt(36 ** 7).toString(36)}`
    this.#hereAddress = `${net}.${host + 1}`
    this.address = `${net}.${host + 2}`
  }

  /** Throws the reason where this machine or user cannot make one. */
  static make(): NetworkNamespace {
    const made = new NetworkNamespace()
    const [name, here] = [made.#name, made.#here]
    ip('netns', 'add', name)
    process.once('exit', made.#dispose)
    try {
      ip('link', 'add', here, 'type', 'veth', 'peer', 'name', THERE, 'netns', name)
      ip('addr', 'add', `${made.#hereAddress}/30`, 'dev', here)
      ip('link', 'set', here, 'up')
      ip('-n', name, 'addr', 'add', `${made.address}/30`, 'dev', THERE)
      ip('-n', name, 'link', 'set', THERE, 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
    } catch (error) {
      made[Symbol.dispose]()
      throw error
    }
    return made
  }

  /** Starts a program in there. */
  spawn(program: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('ip', ['netns', 'exec', this.#name, program, ...args])
  }

  cut(how: Cut): void {
    this.#turn(how, true)
  }

  mend(how: Cut): void {
    this.#turn(how, false)
  }

  #turn(how: Cut, off: boolean): void {
    const [name, here] = [this.#name, this.#here]
    switch (how) {
      case 'link down':
        ip('-n', name, 'link', 'set', THERE, off ? 'down' : 'up')
        break
      case 'silent':
        if (off) ip('neigh', 'replace', this.address, 'lladdr', NOBODY, 'dev', here, 'nud', 'permanent')
        else ip('neigh', 'del', this.address, 'dev', here)
        break
      case 'one-way':
        ip('-n', name, 'route', off ? 'replace' : 'del', 'blackhole', this.#hereAddress)
        break
      default:
        how satisfies never
    }
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#dispose)
    // Both ends of the cable go with it. What is gone already stays gone.
    spawnSync('ip', ['link', 'del', this.#here])
    spawnSync('ip', ['netns', 'del', this.#name])
  }
}

function ip(...args: string[]): void {
  const { error, status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (error !== undefined || status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}
