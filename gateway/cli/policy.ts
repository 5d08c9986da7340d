import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeBlock } from '../../schemas/safe-text.ts'
import type { Identity, Target } from '../../schemas/session.ts'
import { loadConfig, type Settings } from '../config.ts'
import { explainStatement, renderExplanation } from '../policy/command-explain.ts'
import { testPolicy as runTests } from '../policy/command-test.ts'
import { compilePolicy } from '../policy/policy.ts'
import { loadPolicy } from '../service.ts'
import { type Cli, EXIT, findConfig, printJson } from './context.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

export interface ExplainOptions extends Options {
  /** A configured identity; with `kind`, anybody: tokens prove subjects that stand in no file. */
  readonly as?: string
  readonly kind?: Identity['kind']
  readonly groups?: readonly string[]
  readonly target?: string
  /** When it would be sent; now, where it is not given. */
  readonly at?: string
}

/** Runs the tests inside a policy file: the one named, else that of the configuration. Exit code 1 when one fails. */
export async function testPolicy(file: string | undefined, options: Options, cli: Cli): Promise<number> {
  const policy =
    file === undefined
      ? await loadPolicy(await configured(options, cli))
      : compilePolicy(await read(resolve(cli.cwd, file)), file)
  const { text, ...report } = runTests(policy)
  if (options.json) printJson(cli, { file: policy.file, policy: policy.hash, ...report })
  else cli.out(`${safeBlock(text)}\n`)
  return report.ok ? EXIT.ok : EXIT.failure
}

/** Shows what the policy sees in a command and says of it. Nothing is sent anywhere. */
export async function explainPolicy(command: string, options: ExplainOptions, cli: Cli): Promise<number> {
  const settings = await configured(options, cli)
  const explanation = explainStatement(
    await loadPolicy(settings),
    { identity: identityOf(settings, options), target: targetOf(settings, options.target), atMs: timeOf(options.at) },
    command,
  )
  if (options.json) printJson(cli, explanation)
  else cli.out(`${safeBlock(renderExplanation(explanation))}\n`)
  return EXIT.ok
}

function timeOf(text: string | undefined): number {
  const atMs = text === undefined ? Date.now() : Date.parse(text)
  if (Number.isNaN(atMs))
    throw new ApplianceError('CONFIG_INVALID', `--at ${JSON.stringify(text)}: write a time like 2026-01-07T22:30+01:00`)
  return atMs
}

/** Without a name the first agent, for whom policies are mostly written, else the first identity. */
function identityOf({ identities }: Settings, { as, kind, groups = [] }: ExplainOptions): Identity {
  if (kind !== undefined) return { subject: as ?? `some-${kind}`, kind, groups, proof: 'explain' }
  const found =
    as === undefined
      ? (identities.find((each) => each.kind === 'agent') ?? identities[0])
      : identities.find(({ subject }) => subject === as)
  if (found === undefined) {
    const known = identities.map(({ subject }) => subject).join(', ')
    throw new ApplianceError(
      'CONFIG_INVALID',
      `no identity ${JSON.stringify(as ?? '')} is configured (known: ${known}); for one that comes with a token add --kind and --groups`,
    )
  }
  return {
    subject: found.subject,
    kind: found.kind,
    groups: found.groups ?? [],
    proof: 'explain',
    ...(found.principal === undefined ? {} : { principal: found.principal }),
  }
}

function targetOf({ targets }: Settings, name: string | undefined): Target {
  const found = name === undefined ? targets.values().next().value : targets.get(name)
  if (found === undefined) {
    throw new ApplianceError(
      'TARGET_UNKNOWN',
      `no target ${JSON.stringify(name ?? '')} is configured; known: ${[...targets.keys()].join(', ')}`,
    )
  }
  return found.target
}

async function configured(options: Options, cli: Cli): Promise<Settings> {
  return loadConfig(findConfig(options.config, cli))
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new ApplianceError(
      'POLICY_INVALID',
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  })
}
