import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'

/** The system's error code (`ENOENT` ...), also of an ApplianceError's cause; undefined where there is none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('syscall' in error && 'code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause)
}

/** Writes all of it: write(2) may take less than it is given. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

/** What is in a file, or comes out of a pipe; undefined where that is more than `most` bytes, of which one more is read and no other. Rejects as reading does. */
export async function readAtMost(path: string, most: number): Promise<Buffer | undefined> {
  const file = await open(path)
  const pieces: Buffer[] = []
  for await (const piece of file.createReadStream({ end: most })) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  return bytes.length > most ? undefined : bytes
}

/** What is there, whatever links lead to it; undefined where nothing is. Rejects as stat(2) does where that cannot be told. */
export async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  const found = await unlessMissing(stat(path))
  return found?.isFile() === true ? 'file' : found?.isDirectory() === true ? 'folder' : found && 'other'
}

/** Whether there is something of this name, a link that leads nowhere included. Rejects as lstat(2) does where that cannot be told. */
export async function isThere(path: string): Promise<boolean> {
  return (await unlessMissing(lstat(path))) !== undefined
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** The first bytes of a file, at most `size`; none of what is no file. Rejects as reading does. */
export async function headOf(path: string, size: number): Promise<Uint8Array> {
  if ((await kindOf(path)) !== 'file') return new Uint8Array(0)
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0)
  return buffer.subarray(0, bytesRead)
}

/** Makes created, linked and renamed names in the folder durable. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Whether one of two folders is the other or lies in it, by whatever links or names they are reached. What is not there yet counts where it will be.
 * Rejects as stat(2) does where that cannot be told.
 */
export async function areNested(folder: string, other: string): Promise<boolean> {
  const [up, otherUp] = await Promise.all([upFrom(folder), upFrom(other)])
  return up.some((one) => one === otherUp[0]) || otherUp.some((one) => one === up[0])
}

/** What a folder is known by, and each above it: device and inode, as two names may be one folder; the path where nothing is. */
async function upFrom(folder: string): Promise<readonly string[]> {
  const above = resolve(folder)
  try {
    const real = await realpath(above)
    const found = await stat(real, { bigint: true })
    return [`${found.dev} ${found.ino}`, ...(real === dirname(real) ? [] : await upFrom(dirname(real)))]
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
    const higher = await upFrom(dirname(above))
    return [`${higher[0]} ${basename(above)}`, ...higher]
  }
}
