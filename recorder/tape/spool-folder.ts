import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, unlink, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf, syncFolder } from '../files.ts'
import { lifeOf, OWN_MARK, parseMark } from '../process-mark.ts'

const LOCK_FILE = 'lock'
/** Bytes given up on a full disk. */
export const RESERVE_FILE = 'reserve'
/** The owner's sign of life, for those who cannot see its process. */
const BEAT_EVERY_MS = 15_000
/** A lock of another machine without a beat for this long is a dead process's: twenty beats missed. */
const SILENT_MS = 300_000
/** A lock on its way to its name. */
const LOCK_MADE = /^lock-\d+$/
/** What may call itself a gateway, and so its spool. */
export const GATEWAY_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/
/** A spool that is set aside for a person. */
const KEPT = /^\.kept~/
/** A taken-over spool; no gateway's name has a tilde. */
const CLAIMED = /^\.claimed~(?<by>[^~]+)~\d+~(?<of>[^~]+)$/

/** The folder of one process's spool below the spools' root, locked for it. */
export class SpoolFolder {
  readonly path: string
  readonly #beat: NodeJS.Timeout

  private constructor(path: string) {
    this.path = path
    this.#beat = setInterval(() => void this.#sign(), BEAT_EVERY_MS)
    this.#beat.unref()
  }

  /**
   * `<root>/<gateway>`, made anew. Rejects CONFIG_INVALID when a live process has it. What a dead process of that name left is moved
   * aside, for `claimDead`. `called`: what people call it.
   */
  static async take(root: string, gateway: string, called = gateway): Promise<SpoolFolder> {
    await mkdir(root, { recursive: true, mode: 0o700 })
    const path = join(root, gateway)
    const fresh = join(root, `.new-${gateway}-${process.pid}`)
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh, { mode: 0o700 })
    await writeFile(join(fresh, LOCK_FILE), JSON.stringify(OWN_MARK))
    for (;;) {
      try {
        // Onto a folder that has something in it this fails: taking the name and locking it are one act.
        await rename(fresh, path)
        await syncFolder(root)
        return new SpoolFolder(path)
      } catch (error) {
        if (!IN_THE_WAY.has(codeOf(error) ?? '')) throw error
      }
      const why = await whyTaken(path, called)
      if (why !== undefined) {
        await rm(fresh, { recursive: true, force: true })
        throw new ApplianceError('CONFIG_INVALID', why)
      }
      await claim(root, gateway, gateway).catch((error: unknown) => {
        // It is out of the way, and `claimDead` says what is wrong with it.
        if (!isMalformed(error)) throw error
      })
    }
  }

  /** Ends the lock. The folder is removed when nothing is left in it to recover. */
  async release(): Promise<void> {
    clearInterval(this.#beat)
    const left = (await readdir(this.path)).filter((name) => name !== LOCK_FILE)
    await rm(join(this.path, LOCK_FILE), { force: true })
    if (left.length === 0) await rmdir(this.path)
  }

  /** Gives up a folder of which nothing was used yet. */
  async discard(): Promise<void> {
    clearInterval(this.#beat)
    await removeSpool({ path: this.path })
  }

  async #sign(): Promise<void> {
    const now = new Date()
    // A beat that fails is as good as one missed: the lock says so by itself.
    await utimes(join(this.path, LOCK_FILE), now, now).catch(() => undefined)
  }
}

export interface DeadSpool {
  /** Where it is now, ours. */
  readonly path: string
  /** Whose it was. */
  readonly gateway: string
}

export interface DeadSpools {
  readonly spools: readonly DeadSpool[]
  /** Of which it cannot be told whose they are; left as they are. */
  readonly unclear: readonly { readonly spool: string; readonly message: string }[]
  /** Names that are no spools: nothing in them is touched. */
  readonly foreign: readonly string[]
}

/** Takes over the spools of all processes that are gone. Two may try at once: each spool goes to one of them. */
export async function claimDead(root: string, gateway: string): Promise<DeadSpools> {
  const spools: DeadSpool[] = []
  const unclear: { spool: string; message: string }[] = []
  const foreign: string[] = []
  for (const entry of (await readdir(root, { withFileTypes: true })).sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const { name } = entry
    if (name.startsWith('.new-') || KEPT.test(name)) continue
    const before = CLAIMED.exec(name)?.groups
    const of = before?.['of'] ?? name
    try {
      if (!entry.isDirectory() || !(await isSpool(root, name))) {
        foreign.push(name)
        continue
      }
      const owner = await ownerOf(join(root, name))
      // One that we have moved aside ourselves has our mark already; one somebody else is at work on has a live one.
      if (before?.['by'] === gateway && owner === 'own') spools.push({ path: join(root, name), gateway: of })
      else if (owner === 'dead') {
        const path = await claim(root, name, gateway, of)
        if (path !== undefined) spools.push({ path, gateway: of })
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') unclear.push({ spool: name, message: messageOf(error) })
    }
  }
  return { spools, unclear, foreign }
}

/** Removes a spool that is not needed any more, file by file; rejects ENOTEMPTY where anything else is in the folder. */
export async function removeSpool({ path }: Pick<DeadSpool, 'path'>): Promise<void> {
  const names = await readdir(path)
  for (const name of names.filter(isSpoolFile)) await unlink(join(path, name))
  for (const name of names.filter(isSpoolName)) await unlink(join(path, name))
  await rmdir(path)
}

/** Sets a spool aside that is evidence and of which nothing more can be recovered. Returns its name in the root. */
export async function keepSpool(root: string, { path }: DeadSpool): Promise<string> {
  const name = `.kept~${basename(path).replace(/^\.claimed~/, '')}`
  await rm(join(path, RESERVE_FILE), { force: true })
  await giveBack({ path })
  await rename(path, join(root, name))
  await syncFolder(root)
  return name
}

/** Without our mark it is a dead one's again, and the next recovery tries anew. */
export function giveBack({ path }: Pick<DeadSpool, 'path'>): Promise<void> {
  return rm(join(path, LOCK_FILE), { force: true })
}

export function isSpoolFile(name: string): boolean {
  return name.endsWith('.wal')
}

/** What is in a spool's folder beside its files. */
export function isSpoolName(name: string): boolean {
  return name === LOCK_FILE || name === RESERVE_FILE || LOCK_MADE.test(name)
}

/** A folder is nobody's spool by its name alone. */
async function isSpool(root: string, name: string): Promise<boolean> {
  if (CLAIMED.test(name)) return true
  if (!GATEWAY_NAME.test(name)) return false
  return (await readdir(join(root, name))).some((one) => isSpoolFile(one) || isSpoolName(one))
}

/** What a person should know of the spools' root: what is kept there and what does not belong there. Reads names alone. */
export async function lookAtSpools(
  root: string,
): Promise<{ readonly kept: readonly string[]; readonly foreign: readonly string[] }> {
  const [kept, foreign]: [string[], string[]] = [[], []]
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const { name } = entry
    if (name.startsWith('.new-')) continue
    if (KEPT.test(name)) kept.push(name)
    else if (!entry.isDirectory() || !(await isSpool(root, name).catch(() => false))) foreign.push(name)
    else if (CLAIMED.test(name) && (await isDead(join(root, name)))) kept.push(name)
  }
  return { kept, foreign }
}

/** Whose spools are here: of those that own one now, and those taken over and not yet, or not fully, recovered. */
export async function spoolsIn(
  root: string,
): Promise<{ readonly owned: ReadonlySet<string>; readonly claimed: ReadonlySet<string> }> {
  const [owned, claimed] = [new Set<string>(), new Set<string>()]
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const { name } = entry
    const of = CLAIMED.exec(name)?.groups?.['of']
    if (of !== undefined) claimed.add(of)
    else if (!name.startsWith('.')) owned.add(name)
  }
  return { owned, claimed }
}

let claimCount = 0

/** Moves a dead spool aside under our mark; undefined when another was quicker. */
async function claim(root: string, name: string, by: string, of = name): Promise<string | undefined> {
  claimCount += 1
  const path = join(root, `.claimed~${by}~${Date.now()}${claimCount}~${of}`)
  try {
    await rename(join(root, name), path)
    if ((await ownerOf(path)) === 'alive') {
      // Between our look and our move another had claimed it.
      await rename(path, join(root, name))
      return undefined
    }
    const lock = join(path, `${LOCK_FILE}-${process.pid}`)
    await writeFile(lock, JSON.stringify(OWN_MARK))
    await rename(lock, join(path, LOCK_FILE))
    return path
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Why a gateway cannot have its folder; undefined where a dead one of its name left it. */
async function whyTaken(path: string, gateway: string): Promise<string | undefined> {
  const inTheWay = `${path} is in the way, and is no spool: move it elsewhere`
  try {
    if (!(await lstat(path)).isDirectory() || !(await isSpool(dirname(path), basename(path)))) return inTheWay
    if ((await ownerOf(path)) !== 'alive') return undefined
    return `gateway ${gateway} already runs on this data folder; give each process its own name`
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || isMalformed(error)) return undefined
    return `${path} cannot be taken over: ${messageOf(error)}`
  }
}

/** What rename(2) says of a folder that is put onto something. */
const IN_THE_WAY: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR'])

async function isDead(path: string): Promise<boolean> {
  try {
    return (await ownerOf(path)) === 'dead'
  } catch {
    // Its lock is none: nobody has it.
    return true
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function ownerOf(path: string): Promise<'own' | 'alive' | 'dead'> {
  const lock = join(path, LOCK_FILE)
  try {
    const facts = await lstat(lock)
    if (!facts.isFile()) throw new ApplianceError('SPOOL_MALFORMED', `${lock} is no file: whose this is cannot be told`)
    const mark = parseMark(await readFile(lock, 'utf8'))
    if (mark === undefined) return 'dead'
    const life = lifeOf(mark)
    if (life === 'alive' && mark.pid === OWN_MARK.pid && path.includes('.claimed~')) return 'own'
    if (life !== 'foreign') return life
    return Date.now() - facts.mtimeMs > SILENT_MS ? 'dead' : 'alive'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'dead'
    throw error
  }
}

function isMalformed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'SPOOL_MALFORMED'
}
