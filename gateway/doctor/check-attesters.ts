import { randomBytes } from 'node:crypto'
import type { Attesters } from '../attesters.ts'
import { type Check, checked } from './check.ts'
import { checkStore } from './check-store.ts'

const ANSWER_TIMEOUT_MS = 10_000

/** Whether those who attest the ledger's checkpoints can be asked, and whether an anchor keeps what is put into it. */
export async function checkAttesters({ witnesses, timestamps, anchors }: Attesters, gateway: string): Promise<readonly Check[]> {
  const unattested = 'checkpoints go without it meanwhile, and a trust policy that asks for it is not met'
  const checks = await Promise.all([
    ...witnesses.map(({ url }) =>
      checked(
        `witness ${url}`,
        async () => {
          const answer = await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, {
            method: 'POST',
            redirect: 'error',
            signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
          })
          await answer.body?.cancel()
          // Nothing was submitted, and it has to say so.
          if (answer.status === 400) return { status: 'ok', seen: 'answers' }
          return { status: 'failed', seen: `it answers ${answer.status}, which no witness does`, cure: unattested }
        },
        unattested,
      ),
    ),
    ...timestamps.map(({ name, url }) =>
      checked(
        `timestamp authority ${name}`,
        async () => {
          const { requestTimestamp } = await import('../../recorder/ledger/timestamp.ts')
          await requestTimestamp(url, randomBytes(32))
          return { status: 'ok', seen: 'states the time' }
        },
        unattested,
      ),
    ),
    ...anchors.map(async ({ name, place }) =>
      (await checkStore(place, gateway)).map((check): Check => ({ ...check, what: `anchor ${name}: ${check.what}` })),
    ),
  ])
  return checks.flat()
}
