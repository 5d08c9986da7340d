import { access, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Approval } from '../../schemas/approval.ts'
import { brokeGlass, endOf, isOpen } from './approval-log.ts'
import { isErrno } from './exclusive-file.ts'

const OWN_NAME = /^(A-[0-9A-HJKMNP-TV-Z]{8})\.[0-9]{4}\.json$/

/** Whether a request ended before that time and nobody has to do anything about it: broken glass stays until it is reviewed. */
export function isPast(approval: Approval, beforeMs: number): boolean {
  if (isOpen(approval) || (brokeGlass(approval) && approval.review === undefined)) return false
  const last = [approval.withdrawn?.at, approval.review?.at, ...approval.decisions.map(({ at }) => at)]
  return Math.max(endOf(approval), ...last.map((at) => (at === undefined ? 0 : Date.parse(at)))) < beforeMs
}

/**
 * Removes a request from the desk: first what another process would write it anew from, then the request itself. From then on it is
 * unknown, so that no approval can be found whose use was removed before it; removeRest takes its events away.
 */
export async function removeRequest(folder: string, { id, binding }: Pick<Approval, 'id' | 'binding'>): Promise<void> {
  const made = join(folder, 'by-binding', binding)
  for (const name of await namesIn(made)) {
    // Not the next request of the same binding, nor one that is being written.
    if (name.endsWith('.json') && (await readFile(join(made, name), 'utf8')).includes(`"${id}"`)) await rm(join(made, name))
  }
  await rmdir(made).catch((error: unknown) => {
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error
  })
  await rm(join(folder, `${id}.0000.json`), { force: true })
}

/** Removes the events, and what was told, of requests that are no longer there; also what a crash in the middle of removing left. */
export async function removeRest(folder: string): Promise<void> {
  for (const place of [join(folder, 'told'), folder]) {
    const names = await namesIn(place)
    const there = new Set(await namesIn(folder))
    for (const name of names) {
      const id = OWN_NAME.exec(name)?.[1]
      // Looked up by name once more: a listing need not have what came while it was made.
      if (id !== undefined && !there.has(`${id}.0000.json`) && !(await exists(join(folder, `${id}.0000.json`))))
        await rm(join(place, name), { force: true })
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return false
      throw error
    },
  )
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
}
