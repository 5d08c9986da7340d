import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Identity } from '../../schemas/session.ts'
import type { Settings } from '../config.ts'
import { AccessKeys } from '../identity/access-keys.ts'
import { BlockedSubjects } from '../identity/blocked.ts'
import { Doorkeeper } from '../identity/doorkeeper.ts'
import { JwtProver } from '../identity/jwt.ts'
import { openShared } from '../shared.ts'
import type { Cli } from './context.ts'

/** The key or token shown with a command: in SALLYPORT_KEY, or in the file named by --key-file. */
export async function shownKey(keyFile: string | undefined, cli: Cli): Promise<string | undefined> {
  const shown = keyFile === undefined ? cli.env['SALLYPORT_KEY'] : await keyIn(resolve(cli.cwd, keyFile))
  return shown === undefined || shown.trim() === '' ? undefined : shown.trim()
}

async function keyIn(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ApplianceError(
      'AUTH_REQUIRED',
      `the key file ${path} cannot be read: ${error instanceof Error ? error.message : ''}`,
    )
  }
}

/** Who runs a command that needs no proof: whose key it shows, else the operating system's user. */
export async function callerOf(
  settings: Parameters<typeof proveCaller>[0],
  keyFile: string | undefined,
  cli: Cli,
): Promise<{ readonly actor: string; readonly proof: string }> {
  if ((await shownKey(keyFile, cli)) === undefined) return { actor: systemUser(), proof: 'os' }
  const { subject, proof } = await proveCaller(settings, '', keyFile, cli)
  return { actor: subject, proof }
}

/** In containers there may be no name to a number. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid:${process.getuid?.() ?? 'unknown'}`
  }
}

/** Whoever acts by a command proves it like everybody else: nobody acts under a name they typed. `question` asks for the proof. */
export async function proveCaller(
  settings: Pick<Settings, 'identities' | 'dataDir' | 'jwt' | 'shared' | 'from'>,
  question: string,
  keyFile: string | undefined,
  cli: Cli,
): Promise<Identity> {
  const secret = await shownKey(keyFile, cli)
  if (secret === undefined)
    throw new ApplianceError(
      'AUTH_REQUIRED',
      `${question} Put your own access key into SALLYPORT_KEY, or name its file with --key-file`,
    )
  await using shared = await openShared(settings, cli.env)
  const doorkeeper = new Doorkeeper({
    identities: settings.identities,
    accessKeys: new AccessKeys(shared.records('accessKeys')),
    blocked: new BlockedSubjects(shared.records('blocked')),
    jwt: await JwtProver.open(settings.jwt),
    onDenied: () => undefined,
  })
  const identity = await doorkeeper.prove({ secret, client: 'cli' }, new AbortController().signal)
  if (identity.scope !== undefined)
    throw new ApplianceError('AUTH_DENIED', 'this token is for targets alone: nothing is decided by it')
  return identity
}
