import type { Settings, TargetSettings } from '../config.ts'
import { readCredential } from '../credentials/upstream.ts'
import { readExcess } from '../protocols/postgres/upstream-grants.ts'
import { type Check, checked } from './check.ts'

const TIMEOUT_MS = 30_000

/** Logs in to every PostgreSQL target with the gateway's credential and says what its role may do that no session needs. */
export async function checkGrants({ targets }: Pick<Settings, 'targets'>, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  const postgres = [...targets.values()].filter(({ target }) => target.protocol === 'postgres')
  return (await Promise.all(postgres.map((target) => checkGrantsOf(target, env)))).flat()
}

async function checkGrantsOf({ target, credential }: TargetSettings, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  const what = `target ${target.name}, role ${credential.user}`
  const found: Check[] = []
  const whole = await checked(what, async () => {
    for (const { right, cure } of await readExcess(
      target,
      await readCredential(credential, env),
      AbortSignal.timeout(TIMEOUT_MS),
    ))
      found.push({ what, status: 'excess', seen: right, cure })
    return { status: 'ok', seen: 'may do nothing that no session needs' }
  })
  return found.length > 0 ? found : [whole]
}
