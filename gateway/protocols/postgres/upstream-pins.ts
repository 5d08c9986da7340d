import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { PINNED } from './login-parameters.ts'
import { simpleQuery } from './upstream-query.ts'

/**
 * Makes sure that the pinned settings are in force on an idle connection: by SET, then asking, where the server reports others
 * or nothing (poolers drop startup parameters). Resolves with the parameters as they stand then. Rejects TARGET_REFUSED when
 * the server will not have them.
 */
export async function pin(
  socket: Duplex,
  parameters: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const wrong = [...PINNED].filter(([name, value]) => parameters.get(name) !== value)
  if (wrong.length === 0) return parameters
  const text = wrong.map(([name, value]) => `SET ${name} = '${value}'; SHOW ${name}`).join('; ')
  const answer = await simpleQuery(socket, text, signal)
  for (const [at, [name, value]] of wrong.entries()) {
    if (answer.rows[at]?.[0] !== value) {
      throw new ApplianceError(
        'TARGET_REFUSED',
        `the target does not keep ${name} = ${value}, without which statements cannot be judged`,
      )
    }
  }
  return new Map([...parameters, ...answer.parameters, ...PINNED])
}
