import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeBlock, safeText } from '../../schemas/safe-text.ts'
import type { Identity, Target } from '../../schemas/session.ts'
import { loadConfig, type Settings } from '../config.ts'
import { type Asked, diffPolicies, renderDiff } from '../policy/command-diff.ts'
import { explainStatement, renderExplanation } from '../policy/command-explain.ts'
import { lintPolicy } from '../policy/command-lint.ts'
import { testPolicy as runTests } from '../policy/command-test.ts'
import { PACKS } from '../policy/packs/index.ts'
import { compilePolicy } from '../policy/policy.ts'
import { loadShell } from '../policy/shell/facts.ts'
import { loadPolicy } from '../service.ts'
import { writeYaml } from '../yaml.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'
import { recordedStatements, type Unasked } from './recorded-statements.ts'

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
  await loadShell()
  const { text, ...report } = runTests(policy)
  if (options.json) printJson(cli, { file: policy.file, policy: policy.hash, ...report })
  else cli.out(`${safeBlock(text)}\n`)
  return report.ok ? EXIT.ok : EXIT.failure
}

/** Shows what the policy sees in a command and says of it. Nothing is sent anywhere. */
export async function explainPolicy(command: string, options: ExplainOptions, cli: Cli): Promise<number> {
  const settings = await configured(options, cli)
  await loadShell()
  const explanation = explainStatement(
    await loadPolicy(settings),
    { identity: identityOf(settings, options), target: targetOf(settings, options.target), atMs: timeOf(options.at) },
    command,
  )
  if (options.json) printJson(cli, explanation)
  else cli.out(`${safeBlock(renderExplanation(explanation))}\n`)
  return EXIT.ok
}

export interface DiffOptions extends Omit<ExplainOptions, 'json'> {
  readonly json?: true
  /** A file with a statement in each line. */
  readonly statements?: string
  /** Recorded sessions, by id or its beginning; without either the newest hundred. */
  readonly session?: readonly string[]
}

/** What two policies say of the same statements, where they differ. Exit code 1 when they do, or where a tape cannot be read. */
export async function diffPolicy(before: string, after: string | undefined, options: DiffOptions, cli: Cli): Promise<number> {
  const policies = {
    before: compilePolicy(await read(resolve(cli.cwd, before)), before),
    after:
      after === undefined
        ? await loadPolicy(await configured(options, cli))
        : compilePolicy(await read(resolve(cli.cwd, after)), after),
  }
  const unasked: Unasked = { others: 0, unread: [] }
  const asked =
    options.statements === undefined
      ? recordedStatements(options, cli, unasked)
      : await listedStatements(resolve(cli.cwd, options.statements), options, cli)
  await loadShell()
  const report = await diffPolicies(policies, asked)
  if (options.json) printJson(cli, { before: policies.before.hash, after: policies.after.hash, ...report, ...unasked })
  else {
    cli.out(`${safeBlock(renderDiff(report))}\n`)
    if (unasked.others > 0) cli.out(`${unasked.others} files, forwards and shells were not judged again\n`)
    for (const { session, why } of unasked.unread) cli.err(`${safeText(`${session} cannot be read: ${why}`)}\n`)
  }
  return report.differences.length === 0 && unasked.unread.length === 0 ? EXIT.ok : EXIT.failure
}

/** Blank lines and comments (--) are passed over. */
async function listedStatements(path: string, options: DiffOptions, cli: Cli): Promise<readonly Asked[]> {
  const settings = await configured(options, cli)
  const [identity, target] = [identityOf(settings, options), targetOf(settings, options.target)]
  const lines = (await read(path)).split(/\r?\n/).map((line) => line.trim())
  return lines.flatMap((text, index) =>
    text === '' || text.startsWith('--')
      ? []
      : [{ session: `line ${index + 1}`, identity, target, atMs: timeOf(options.at), text }],
  )
}

/** What is no mistake in a policy, but seldom meant. Exit code 1 when there is something to say. */
export async function lintPolicyFile(file: string | undefined, options: Options, cli: Cli): Promise<number> {
  const settings = file === undefined ? await configured(options, cli) : undefined
  const policy =
    settings !== undefined ? await loadPolicy(settings) : compilePolicy(await read(resolve(cli.cwd, file ?? '')), file ?? '')
  const remarks = lintPolicy(
    policy,
    settings === undefined ? undefined : [...settings.targets.values()].map(({ target }) => target),
  )
  if (options.json) printJson(cli, { file: policy.file, policy: policy.hash, remarks })
  else if (remarks.length === 0) cli.out('nothing to remark\n')
  else cli.out(table(remarks.map(({ rule, remark }) => [rule === '' ? '(policy)' : rule, remark])))
  return remarks.length === 0 ? EXIT.ok : EXIT.failure
}

/** The packs there are, and what is in them, as it would stand in a policy file. */
export async function listPacks(name: string | undefined, options: Options, cli: Cli): Promise<number> {
  const known = Object.keys(PACKS)
  if (name !== undefined && !known.includes(name))
    throw new ApplianceError('POLICY_INVALID', `there is no pack ${JSON.stringify(name)}; there are ${known.join(', ')}`)
  const packs = Object.values(PACKS).filter((pack) => name === undefined || pack.name === name)
  if (options.json) printJson(cli, packs)
  else if (name !== undefined) cli.out(packs.map(({ rules }) => writeYaml({ rules })).join(''))
  else
    cli.out(
      table([
        ['PACK', 'VERSION', 'RULES', 'AGAINST'],
        ...packs.map(({ name: pack, version, rules, about }) => [pack, String(version), String(rules.length), about]),
      ]),
    )
  return EXIT.ok
}

function timeOf(text: string | undefined): number {
  const atMs = text === undefined ? Date.now() : Date.parse(text)
  if (Number.isNaN(atMs))
    throw new ApplianceError('CONFIG_INVALID', `--at ${JSON.stringify(text)}: write a time like 2026-01-07T22:30+01:00`)
  return atMs
}

/** Without a name the first agent, for whom policies are mostly written, else the first identity. */
export function identityOf({ identities }: Settings, { as, kind, groups = [] }: ExplainOptions): Identity {
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

export async function configured(options: Options, cli: Cli): Promise<Settings> {
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
