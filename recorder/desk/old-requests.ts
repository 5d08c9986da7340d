import type { Approval } from '../../schemas/approval.ts'
import { brokeGlass, endOf, isOpen } from './approval-log.ts'
import type { Records } from './records.ts'

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
export async function removeRequest(records: Records, { id, binding }: Pick<Approval, 'id' | 'binding'>): Promise<void> {
  const made = `by-binding/${binding}`
  for (const name of await records.names(made)) {
    // Not the next request of the same binding.
    if ((await records.read(`${made}/${name}`))?.includes(`"${id}"`)) await records.remove(`${made}/${name}`)
  }
  await records.remove(`${id}.0000.json`)
}

/** Removes the events, and what was told, of requests that are no longer there; also what a crash in the middle of removing left. */
export async function removeRest(records: Records): Promise<void> {
  for (const folder of ['told', '']) {
    const names = await records.names(folder)
    const there = new Set(await records.names(''))
    for (const name of names) {
      const id = OWN_NAME.exec(name)?.[1]
      // Looked up by name once more: a listing need not have what came while it was made.
      if (id !== undefined && !there.has(`${id}.0000.json`) && (await records.read(`${id}.0000.json`)) === undefined)
        await records.remove(folder === '' ? name : `${folder}/${name}`)
    }
  }
}
