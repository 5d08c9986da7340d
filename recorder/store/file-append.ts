import { closeSync, constants, fdatasync, fstatSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { ApplianceError } from '../../schemas/errors.ts'
import { codeOf } from '../files.ts'
import { FileLock } from './file-lock.ts'

const datasync = promisify(fdatasync)
const writeLater = promisify(write)

/**
 * Appends at `position`, which must be the file's size: durable when it resolves. Rejects STORE_CONFLICT, or the system's error. At position 0
 * the file is made; its folder is the caller's.
 */
export async function appendToFile(key: string, path: string, position: number, bytes: Uint8Array): Promise<void> {
  const lock = await FileLock.take(path, key)
  try {
    // Neither waits for the disk: the name was looked up a moment ago, for the lock beside it.
    const fd = openSync(path, constants.O_RDWR | (position === 0 ? constants.O_CREAT : 0), 0o600)
    try {
      const { size } = fstatSync(fd)
      if (size !== position) throw conflict(key, `it has ${size} bytes, not ${position}`)
      await writeFully(fd, bytes, position)
      await datasync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && position > 0) throw conflict(key, `it does not exist, and ${position} bytes were expected`)
    throw error
  } finally {
    await lock.release()
  }
}

/** write(2) may take less than it is given. Beside the event loop the call is made at once. */
async function writeFully(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += isMainThread
      ? (await writeLater(fd, bytes, at, bytes.length - at, position + at)).bytesWritten
      : writeSync(fd, bytes, at, bytes.length - at, position + at)
  }
}

export function conflict(key: string, why: string): ApplianceError {
  return new ApplianceError('STORE_CONFLICT', `${key} was not written: ${why}`)
}
