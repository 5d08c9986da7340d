import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, syncFolder } from '../files.ts'

/** Only the gateway's own user reads what it keeps. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/**
 * Creates a file with these bytes unless one of that name exists: true exactly once over all processes, and durable when
 * it resolves. A reader sees the whole file or none, because the bytes are written under another name first and then
 * linked (link(2) fails with EEXIST where rename(2) would replace).
 */
export async function createFile(path: string, bytes: Uint8Array | string): Promise<boolean> {
  const folder = dirname(path)
  const draft = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.draft`)
  try {
    await writeDurably(draft, bytes)
    await link(draft, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(folder)
  return true
}

/** Makes a folder, and those above it, readable to the own user only. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: FOLDER_MODE })
}

async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
