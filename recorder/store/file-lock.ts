import { readlinkSync, symlinkSync, unlinkSync } from 'node:fs'
import { lstat, readlink, symlink, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isMainThread, threadId } from 'node:worker_threads'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf } from '../files.ts'
import { lifeOf, OWN_MARK } from '../process-mark.ts'
import { lockText, ownerOf } from './lock-mark.ts'

/** How long another process may hold the lock of one object: a write and a sync, also on a sick disk. */
const PATIENCE_MS = 30_000
/** Between two looks at a lock somebody holds. */
const LOOK_EVERY_MS = 2
/** A lock of a process on another machine, or with no readable owner, is given up for dead after this: far longer than any one write. */
const UNKNOWN_OWNER_MS = 60_000

const OWN_TEXT = lockText(OWN_MARK, threadId)

/** One object's write lock among processes, as a symbolic link beside it that names its owner; Node has no flock(2). Left behind by a dead process, it is broken. */
export class FileLock {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  static async take(path: string, key: string): Promise<FileLock> {
    const lock = lockOf(path)
    const deadline = performance.now() + PATIENCE_MS
    while (!(await create(lock))) {
      if (await isStale(lock)) await breakLock(lock)
      else if (performance.now() > deadline)
        throw new ApplianceError('STORE_FAILED', `${key} was locked for more than ${PATIENCE_MS} ms`)
      else await delay(LOOK_EVERY_MS)
    }
    return new FileLock(lock)
  }

  async release(): Promise<void> {
    if (isMainThread) await unlink(this.#path)
    else unlinkSync(this.#path)
  }
}

/** Frees what a thread of this process that has ended still held of `path`: its process lives, so nobody else would. */
export function freeLockOf(thread: number, path: string): void {
  const lock = lockOf(path)
  const text = lockText(OWN_MARK, thread)
  for (const link of [`${lock}.break`, lock]) {
    try {
      if (readlinkSync(link) === text) unlinkSync(link)
    } catch (error) {
      ignoreMissing(error)
    }
  }
}

function lockOf(path: string): string {
  return join(dirname(path), `.lock-${basename(path)}`)
}

/** A symbolic link comes into being with its text, at once: no kill and no full disk leaves a lock without its owner's mark. */
async function create(path: string): Promise<boolean> {
  try {
    // Beside the event loop the call is made at once: the way through the thread pool costs several times as much.
    if (isMainThread) await symlink(OWN_TEXT, path)
    else symlinkSync(OWN_TEXT, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const mark = ownerOf(await readlink(path).catch(notALink))
    const life = mark === undefined ? 'foreign' : lifeOf(mark)
    if (life !== 'foreign') return life === 'dead'
    return Date.now() - (await lstat(path)).mtimeMs > UNKNOWN_OWNER_MS
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** A plain file under the lock's name: not ours, and nothing tells whose. */
function notALink(error: unknown): string {
  if (codeOf(error) === 'EINVAL') return ''
  throw error
}

/** Removes a stale lock. Only one breaker at a time looks again and removes, so that nobody removes the lock of the one who came after. */
async function breakLock(path: string): Promise<void> {
  const breaker = `${path}.break`
  if (!(await create(breaker))) {
    if (await isStale(breaker)) await unlink(breaker).catch(ignoreMissing)
    else await delay(LOOK_EVERY_MS)
    return
  }
  try {
    if (await isStale(path)) await unlink(path)
  } finally {
    await unlink(breaker)
  }
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}
