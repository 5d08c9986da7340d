import { ApplianceError } from '../../../schemas/errors.ts'
import type { RequestHead } from './head.ts'

/** Underscores for hyphens: frameworks behind CGI and its heirs take both for one header. */
const OVERRIDES = /^x[-_](http[-_]method([-_]override)?|method([-_]override)?)$/i

/**
 * What many frameworks take for the method in place of that of the request line: rules and scopes would judge another one than the target does.
 * Throws PROTOCOL_UNSUPPORTED where such a header names another.
 */
export function refuseOverride({ method, headers }: RequestHead): void {
  for (const [name, value] of headers) {
    if (name.length > 22 || !OVERRIDES.test(name) || value.trim().toUpperCase() === method.toUpperCase()) continue
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      `${name.toLowerCase()} names another method than the request does, by which it is judged: send it with its own`,
    )
  }
}
