import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf, syncFolder } from '../files.ts'
import { lifeOf, OWN_MARK, parseMark } from '../process-mark.ts'

export const LOCK_FILE = 'lock'
/** The owner's sign of life, for those who cannot see its process. */
const BEAT_EVERY_MS = 15_000
/** A lock of another machine without a beat for this long is a dead process's: twenty beats missed. */
const SILENT_MS = 300_000
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
   * aside, for `claimDead`.
   */
  static async take(root: string, gateway: string): Promise<SpoolFolder> {
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
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
      }
      if ((await ownerOf(path)) === 'alive') {
        await rm(fresh, { recursive: true, force: true })
        throw new ApplianceError(
          'CONFIG_INVALID',
          `gateway ${gateway} already runs on this data folder; give each process its own name`,
        )
      }
      await claim(root, gateway, gateway)
    }
  }

  /** Ends the lock. The folder is removed when nothing is left in it to recover. */
  async release(): Promise<void> {
    clearInterval(this.#beat)
    const left = (await readdir(this.path)).filter((name) => name !== LOCK_FILE)
    if (left.length === 0) await rm(this.path, { recursive: true, force: true })
    else await rm(join(this.path, LOCK_FILE), { force: true })
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

/** Takes over the spools of all processes that are gone. Two may try at once: each spool goes to one of them. */
export async function claimDead(root: string, gateway: string): Promise<DeadSpool[]> {
  const claimed: DeadSpool[] = []
  for (const name of (await readdir(root)).sort()) {
    if (name.startsWith('.new-')) continue
    const before = CLAIMED.exec(name)?.groups
    const of = before?.['of'] ?? name
    // One that we have moved aside ourselves has our mark already; one somebody else is at work on has a live one.
    const mine = before?.['by'] === gateway && (await ownerOf(join(root, name))) === 'own'
    if (mine) claimed.push({ path: join(root, name), gateway: of })
    else if ((await ownerOf(join(root, name))) === 'dead') {
      const path = await claim(root, name, gateway, of)
      if (path !== undefined) claimed.push({ path, gateway: of })
    }
  }
  return claimed
}

/** Whose spools are here: of those that own one now, and those taken over and not yet, or not fully, recovered. */
export async function spoolsIn(
  root: string,
): Promise<{ readonly owned: ReadonlySet<string>; readonly claimed: ReadonlySet<string> }> {
  const [owned, claimed] = [new Set<string>(), new Set<string>()]
  for (const name of await readdir(root)) {
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

async function ownerOf(path: string): Promise<'own' | 'alive' | 'dead'> {
  const lock = join(path, LOCK_FILE)
  try {
    const mark = parseMark(await readFile(lock, 'utf8'))
    if (mark === undefined) return 'dead'
    const life = lifeOf(mark)
    if (life === 'alive' && mark.pid === OWN_MARK.pid && path.includes('.claimed~')) return 'own'
    if (life !== 'foreign') return life
    return Date.now() - (await stat(lock)).mtimeMs > SILENT_MS ? 'dead' : 'alive'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'dead'
    throw error
  }
}
