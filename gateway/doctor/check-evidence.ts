import { openStore } from '../../recorder/index.ts'
import { manifestKeys } from '../../recorder/retention/holds.ts'
import type { EvidencePlace } from '../store-place.ts'
import { type Check, checked } from './check.ts'

/** Copies are looked for this far back: a container of years has too many to be listed. */
const DAYS_BACK = 14
const DAY_MS = 86_400_000

/** Whether ended tapes are kept where they are copied to: that nobody can overwrite or delete a copy is what the container is for. */
export async function checkEvidence(evidence: EvidencePlace | undefined, nowMs = Date.now()): Promise<readonly Check[]> {
  if (evidence === undefined) return []
  const { place, retention } = evidence
  let newest: string | undefined
  const list = await checked(
    'evidence list',
    async () => {
      const store = await openStore({ blob: place })
      for (let day = 0; day < DAYS_BACK && newest === undefined; day += 1)
        for await (const key of store.list(copiesOf(nowMs - day * DAY_MS))) newest = key
      return {
        status: 'ok',
        seen: newest === undefined ? `can be listed, and has no copy of the last ${DAYS_BACK} days` : 'can be listed',
      }
    },
    `the sealer's identity needs \`blobs/read\` on ${place.container}; does the container exist?`,
  )
  if (list.status === 'failed') return [list]
  const kept = await checked('evidence immutability', async () => {
    const { keptUntil, protectionOf } = await import('../../recorder/store/store-blob-rights.ts')
    const { versions, whole } = await protectionOf(place)
    const needs = [
      ...(retention.days === undefined ? [] : ['retainDays']),
      ...(retention.legalHold === true ? ['legalHold'] : []),
    ]
    if (versions === false && needs.length > 0)
      return {
        status: 'failed',
        seen: `${place.container} has no version-level immutability`,
        cure: `copies are refused with ${needs.join(' and ')}: make the container anew with it (deploy/)`,
      }
    const until = newest === undefined ? undefined : await keptUntil(place, newest)
    if (until !== undefined) return { status: 'ok', seen: `the last copy is kept until ${until}` }
    if (whole) return { status: 'ok', seen: `${place.container} has a policy` }
    if (newest === undefined && (versions === undefined || needs.length > 0))
      return { status: 'skipped', seen: 'nothing has been copied yet by which it could be seen' }
    return {
      status: 'excess',
      seen:
        newest === undefined ? `nothing keeps what is put into ${place.container}` : `nothing keeps the last copy (${newest})`,
      cure: 'copies can be overwritten and deleted: set store.blob.evidence.retainDays, or a policy on the container',
    }
  })
  return [list, kept]
}

/** Of sessions that were opened on that day: what is written last of each copy, when it is whole. */
function copiesOf(dayMs: number): string {
  return `${manifestKeys.prefix}${new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`
}
