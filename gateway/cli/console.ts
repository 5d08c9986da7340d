import { SignInLinks, signInUrl } from '../../recorder/api/sign-in-links.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { loadConfig } from '../config.ts'
import { consoleUrl } from '../console-url.ts'
import { openShared } from '../shared.ts'
import { type Cli, EXIT, findConfig, printJson } from './context.ts'

/** A one-time link for a configured identity. Whoever may write the data folder may make one, as with access keys. */
export async function consoleLink(
  options: { readonly config?: string; readonly json?: true; readonly identity: string },
  cli: Cli,
): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli))
  if (settings.console === undefined)
    throw new ApplianceError('CONFIG_INVALID', 'the configuration has no console: give it console.address and console.roles')
  const { identity: subject } = options
  const known = settings.identities.find((each) => each.subject === subject)
  if (known === undefined)
    throw new ApplianceError('CONFIG_INVALID', `no identity ${JSON.stringify(subject.slice(0, 64))} is configured`)
  const granted = Object.values(settings.console.roles).flat()
  if (!(known.groups ?? []).some((group) => granted.includes(group)))
    throw new ApplianceError('CONFIG_INVALID', `${subject} is in no group that has a role at the console (console.roles)`)
  const at = consoleUrl(settings.console)
  if (at === undefined)
    throw new ApplianceError(
      'CONFIG_INVALID',
      'console.address has port 0, so only the running gateway knows where it is; give it a port',
    )
  await using shared = await openShared(settings, cli.env)
  const { token, expiresAt } = await new SignInLinks(shared.records('links')).create(subject)
  const url = signInUrl(at, token)
  if (options.json) printJson(cli, { subject, url, expiresAt: expiresAt.toISOString() })
  else {
    cli.err(`signs ${safeText(subject)} in, once, until ${expiresAt.toISOString()}:\n`)
    cli.out(`${url}\n`)
  }
  return EXIT.ok
}
