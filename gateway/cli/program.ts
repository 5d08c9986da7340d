import { availableParallelism } from 'node:os'
import { Argument, Command, CommanderError, Option } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import type { FrameRuns } from '../../recorder/index.ts'
import { type Cli, EXIT, processCli, tell } from './context.ts'
import type { ExcerptOptions } from './excerpt.ts'
import { parseFrames } from './frame-runs.ts'
import type { CheckOptions, ListOptions } from './ledger.ts'
import type { MaskOptions } from './mask.ts'
import type { DiffOptions, ExplainOptions } from './policy.ts'
import { bundleCommands, exportCommand } from './program-bundle.ts'
import { evidenceCommands, sessionCommands } from './program-evidence.ts'
import { identityCommands } from './program-identity.ts'
import type { ReplayOptions } from './replay.ts'
import type { DeleteOptions, HoldOptions } from './retention.ts'
import type { SessionsOptions } from './sessions.ts'
import { CONFIG_HELP, EXIT_HELP, type Make, type Runs, takes, VERDICTS_HELP, whole } from './usage.ts'
import type { VerifyOptions } from './verify.ts'
import type { WitnessOptions } from './witness.ts'

/** More processes than cores only wait for each other; more than this needs several machines. */
const MAX_WORKERS = 127

const KEY_HELP = '\nWho acts proves it with their own access key or token: in SALLYPORT_KEY, or in the file named by --key-file.'

interface Common {
  readonly config?: string
  readonly json?: true
}
type Decide = Common & { readonly reason?: string; readonly keyFile?: string }

/**
 * Runs one command line (without node and script) and resolves with its exit code. Each command's code is loaded when it
 * runs, so that `--help` and completion are instant.
 */
export async function run(args: readonly string[], cli: Cli = processCli): Promise<number> {
  let code: number = EXIT.ok
  const json = args.includes('--json')
  const program = programOf(cli, (result) => {
    code = result
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    return tell(error, cli, json)
  }
}

function programOf(cli: Cli, exit: (code: number) => void): Command {
  const program = new Command('sallyport')
    .description('Recording-first gateway between AI coding agents and infrastructure')
    .version(packageJson.version)
    .configureOutput({ writeOut: (text) => cli.out(text), writeErr: (text) => cli.err(text) })
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .exitOverride()

  const command = (parent: Command, usage: string, description: string): Command =>
    parent
      .command(usage)
      .description(description)
      .option('--config <file>', 'the configuration')
      .option('--json', 'machine-readable output')
  const group = (name: string, description: string): Command => program.command(name).description(description)
  const runs = async (work: Promise<number>): Promise<void> => exit(await work)

  command(program, 'serve', 'run the gateway')
    .addOption(
      new Option('--workers <count>', 'processes behind one port; auto: one for each core').default(1).argParser(processCount),
    )
    .addHelpText(
      'after',
      `\nLogs JSON lines on stderr; SALLYPORT_LOG sets the level (error, warn, info, debug, silent).\nSIGTERM or SIGINT ends every session with a farewell and seals its tape; a second one ends at once.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (options: Common & { workers: number }) => runs((await import('./serve.ts')).serve(options, cli)))

  program
    .command('demo')
    .description('run the gateway with a sample PostgreSQL, a sample policy and a sample agent session')
    .option('--once', 'drive the session, approve its hold, verify, and end')
    .option('--json', 'with --once: one JSON object as the last thing on stdout')
    .option('--keep', 'with --once: leave the tapes')
    .addHelpText('after', EXIT_HELP)
    .action(async (options: { once?: true; json?: true; keep?: true }) => {
      const { runDemo } = await import('../demo/demo.ts')
      await runs(runDemo({ once: options.once === true, json: options.json === true, keep: options.keep === true }))
    })

  command(
    program,
    'verify [path]',
    "check tapes: a file, a session's folder (or a copy of one, anywhere), a whole store, or a container by its URL",
  )
    .option(
      '--trust <file>',
      "public keys of the gateways to believe, a gateway.pub (default: the configuration's, or the one beside the tapes)",
    )
    .option(
      '--trust-policy <file>',
      'witnesses, timestamp authorities and anchors that must have attested what the ledger says (c2sp.org/tlog-policy)',
    )
    .option('--session <id>', 'only this one of the configured store: an id, or the beginning or end of one')
    .option('--key-file <file>', 'file with your access key, for the ledger (or SALLYPORT_KEY)')
    .option('--purpose <text>', 'why, for the ledger')
    .addOption(new Option('--at <time>', 'when a copy was made, ISO 8601: who was silent then (default: now)').argParser(moment))
    .addHelpText(
      'after',
      `\nWithout a path: the configured store, and its ledger is told who verified what and the verdict. Folders are verified offline; a container is read with whatever Azure sign-in there is here.${VERDICTS_HELP}`,
    )
    .action(async (path: string | undefined, options: VerifyOptions) =>
      runs((await import('./verify.ts')).verify(path, options, cli)),
    )

  const sessions = command(program, 'sessions', 'list recorded sessions, newest first')
    .option('--run <id>', 'only of this piece of work, whatever protocol, target and gateway')
    .option('--trace <id>', 'only of this trace')
    .option('--since <time>', 'started since then: 7d, 24h, or a date')
    .option('--until <time>', 'started before')
    .addHelpText(
      'after',
      `\nBLOCKED and HELD count frames, of which one thing that was stopped may leave several; \`sessions show\` names what was.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (options: SessionsOptions) => runs((await import('./sessions.ts')).sessions(options, cli)))
  sessionCommands(sessions, command, runs, cli)

  evidenceCommands(program, command, runs, cli)
  command(program, 'replay <session>', 'replay a session in the terminal')
    .addOption(new Option('--speed <factor>', 'at this multiple of the recorded speed').argParser(positive))
    .addOption(new Option('--frame <number>', 'only this frame').argParser(whole))
    .addOption(new Option('--rows <count>', 'rows shown per frame').argParser(whole).default(20))
    .addOption(
      new Option('--raw <direction>', 'the exact bytes that went on: in (to the target) or out (to the client)').choices([
        'in',
        'out',
      ]),
    )
    .option('--purpose <text>', 'why, for the ledger')
    .option('--key-file <file>', 'file with your access key (default: SALLYPORT_KEY, else the system user is noted)')
    .addHelpText(
      'after',
      `\n--json prints one object per frame. The ledger is told who looked, where the gateway’s key is.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (session: string, options: ReplayOptions) => runs((await import('./replay.ts')).replay(session, options, cli)))

  command(program, 'doctor', 'check this deployment: identity, store, key, targets, disk; and what is allowed that should not be')
    .addArgument(
      new Argument('[part]', 'postgres: what the gateway’s own roles may do at PostgreSQL targets').choices(['postgres']),
    )
    .addHelpText(
      'after',
      `\nAppends a line to the store and tries, on an object of its own, what must be refused. With "postgres" it logs in to every such target instead.\nExit codes: 0 all is well, 1 something fails, 3 more is allowed than should be, 2 wrong usage.${CONFIG_HELP}`,
    )
    .action(async (part: 'postgres' | undefined, options: Common) =>
      runs((await import('./doctor.ts')).doctor(part, options, cli)),
    )

  command(program, 'excerpt <session>', 'disclose some frames of a session with their proofs, and hide the others')
    .addOption(new Option('--frames <numbers>', 'which, such as 10-20,35').argParser(frameRuns).makeOptionMandatory())
    .option('--out <file>', "a new file, ending in .excerpt.json (default: the session's id)")
    .option('--reason <text>', 'why, for the ledger')
    .option('--key-file <file>', 'file with your access key (default: SALLYPORT_KEY, else the system user is noted)')
    .addHelpText(
      'after',
      `\nsallyport verify checks the file. The ledger is told who took which frames, where the gateway's key is.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (session: string, options: ExcerptOptions) =>
      runs((await import('./excerpt.ts')).excerpt(session, options, cli)),
    )

  approvals(group('approvals', 'see and decide what is held'), command, runs, cli)
  access(group('access', 'access to a target for a while'), command, runs, cli)
  command(group('console', 'the web console'), 'link', 'make a one-time sign-in link for a configured identity')
    .requiredOption('--identity <subject>', 'whom it signs in')
    .action(async (options: Common & { identity: string }) => runs((await import('./console.ts')).consoleLink(options, cli)))
  program
    .command('witness')
    .description('run a witness: cosign the checkpoints of ledgers that only grow, for an audit team that trusts nobody else to')
    .requiredOption('--folder <folder>', 'its key and what it has cosigned; made on first use')
    .requiredOption('--name <name>', 'stands beside every cosignature, like audit.example/witness')
    .option(
      '--log <keys...>',
      'verifier keys of the logs to follow (`sallyport ledger show`); without any, only prints its own key',
    )
    .option('--address <host:port>', 'where it listens', '127.0.0.1:7380')
    .addHelpText('after', `\nPOST /add-checkpoint, by c2sp.org/tlog-witness. Put TLS in front of it.${EXIT_HELP}`)
    .action(async (options: WitnessOptions) => runs((await import('./witness.ts')).witness(options, cli)))
  identityCommands(program, group, command, runs, cli)
  policy(group('policy', 'try a policy'), command, runs, cli)
  command(group('mask', 'try what is masked'), 'explain <value>', 'what of a value is masked, and why; nothing is sent or kept')
    .option('--column <column>', 'as the value of schema.table.column, or of any column of this name')
    .option('--as <subject>', 'for this configured identity (default: the first agent)')
    .addOption(new Option('--kind <kind>', 'for an identity that is not configured').choices(['human', 'agent', 'service']))
    .option('--groups <names...>', 'with --kind: its groups')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (value: string, options: MaskOptions) => runs((await import('./mask.ts')).explainMask(value, options, cli)))
  retention(group('retention', 'what must be kept'), command, runs, cli)
  exportCommand(program, command, runs, cli)
  bundleCommands(group('bundle', 'audit bundles: make and verify them'), command, runs, cli, {
    moment,
    workers: (text) => workerCount(text),
  })
  ledger(group('ledger', 'what was opened, ended, decided and looked at'), command, runs, cli)
  return program
}

function approvals(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./approvals.ts')
  const decide = (usage: string, description: string): Command =>
    command(group, usage, description)
      .option('--key-file <file>', 'file with your access key')
      .addHelpText('after', `${KEY_HELP}${EXIT_HELP}`)
  const STATES = ['pending', 'approved', 'rejected', 'expired', 'withdrawn', 'consumed'] as const

  command(group, 'list', 'requests, oldest first')
    .addOption(new Option('--state <state>', 'only these').choices([...STATES]))
    .option('--all', 'closed ones too (default: pending and approved)')
    .option('--unreviewed', 'only broken glass that nobody has reviewed')
    .action(async (options: Common & { state?: (typeof STATES)[number]; all?: true; unreviewed?: true }) =>
      runs((await load()).listApprovals(options, cli)),
    )
  command(group, 'show <id>', 'one request, its whole command').action(async (id: string, options: Common) =>
    runs((await load()).showApproval(id, options, cli)),
  )
  decide('approve <id>', 'let it run, once')
    .option('--reason <text>', 'for the record')
    .action(async (id: string, options: Decide) => runs((await load()).decideApproval(id, 'approve', options, cli)))
  decide('reject <id>', 'refuse it; the requester is shown the reason')
    .requiredOption('--reason <text>', 'shown to the requester')
    .action(async (id: string, options: Decide) => runs((await load()).decideApproval(id, 'reject', options, cli)))
  decide('break-glass <id>', 'approve it alone, past its approvers; every channel is told, and it is reviewed')
    .requiredOption('--reason <text>', 'why it cannot wait')
    .action(async (id: string, options: Decide) => runs((await load()).decideApproval(id, 'break-glass', options, cli)))
  decide('review <id>', 'write down what you think of broken glass')
    .requiredOption('--note <text>', 'for the record')
    .action(async (id: string, options: Decide & { note: string }) => runs((await load()).reviewApproval(id, options, cli)))
  command(group, 'watch', 'print requests as they come and change, until interrupted').action(async (options: Common) =>
    runs((await load()).watchApprovals(options, cli)),
  )
}

function access(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./access.ts')
  const proved = (usage: string, description: string): Command =>
    command(group, usage, description)
      .option('--key-file <file>', 'file with your access key')
      .addHelpText('after', `${KEY_HELP.replace('Who decides', 'Who asks or ends')}${EXIT_HELP}`)
  proved('request <target>', 'ask for it')
    .addOption(new Option('--for <time>', 'how long: 45m, 8h').argParser(minutesOrHours).makeOptionMandatory())
    .requiredOption('--reason <text>', 'approvers decide by it')
    .action(async (target: string, options: Decide & { for: string; reason: string }) =>
      runs((await load()).requestAccess(target, options, cli)),
    )
  command(group, 'list', 'who has it, or asks for it')
    .option('--all', 'also what is over')
    .action(async (options: Common & { all?: true }) => runs((await load()).listAccess(options, cli)))
  proved('end <id>', 'end it early, or take the request back; sessions that live by it end')
    .option('--reason <text>', 'for the record')
    .action(async (id: string, options: Decide) => runs((await load()).endAccess(id, options, cli)))
}

function policy(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./policy.ts')
  command(group, 'test [file]', 'run the tests written in a policy file')
    .addHelpText('after', `\nWithout a file: the policy of the configuration.${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (file: string | undefined, options: Common) => runs((await load()).testPolicy(file, options, cli)))
  command(group, 'diff <before> [after]', 'what two policies say of the same statements, where they differ')
    .option('--statements <file>', 'of these, one in each line (default: those of the newest hundred recorded sessions)')
    .option('--session <ids...>', 'of these recorded sessions')
    .option('--as <subject>', 'with --statements: as this configured identity (default: the first agent)')
    .option('--target <name>', 'with --statements: against this target (default: the first)')
    .option('--at <time>', 'with --statements: at this time (default: now)')
    .addHelpText('after', `\nWithout [after]: the policy of the configuration. 1: they differ.${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (before: string, after: string | undefined, options: DiffOptions) =>
      runs((await load()).diffPolicy(before, after, options, cli)),
    )
  command(group, 'lint [file]', 'what is no mistake in a policy, but seldom meant')
    .addHelpText('after', `\nWithout a file: the policy of the configuration. 1: there is something.${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (file: string | undefined, options: Common) => runs((await load()).lintPolicyFile(file, options, cli)))
  command(group, 'packs [name]', 'the sets of rules there are; with a name, its rules')
    .addHelpText('after', EXIT_HELP)
    .action(async (name: string | undefined, options: Common) => runs((await load()).listPacks(name, options, cli)))
  command(group, 'explain <command>', 'what the policy sees in a command, and says of it; nothing is sent anywhere')
    .option('--as <subject>', 'as this configured identity (default: the first agent)')
    .addOption(new Option('--kind <kind>', 'as an identity that is not configured').choices(['human', 'agent', 'service']))
    .option('--groups <names...>', 'with --kind: its groups')
    .option('--target <name>', 'against this target (default: the first)')
    .option('--at <time>', 'at this time, like 2026-01-07T22:30+01:00 (default: now)')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (text: string, options: ExplainOptions) => runs((await load()).explainPolicy(text, options, cli)))
}

function retention(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./retention.ts')
  const loadPlan = () => import('./retention-plan.ts')
  command(group, 'plan', 'dry run: what the rules of the configuration would delete, and which holds keep the rest')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (options: Common) => runs((await loadPlan()).planRetention(options, cli)))
  command(group, 'delete [session]', 'delete what a plan names, or one tape, and tell the ledger')
    .option('--plan <id>', 'of `retention plan`; somebody else approves it first (exit code 1 until then)')
    .option('--rule <text>', 'of one tape: under which rule; where the configuration has rules, only plans delete')
    .option('--key-file <file>', 'file with your access key')
    .addHelpText(
      'after',
      `\nverify says DELETED-BY-POLICY of it. In a container the ledger is told, and its lifecycle rule deletes.${KEY_HELP}${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (session: string | undefined, options: Partial<DeleteOptions> & { plan?: string }, self: Command) => {
      const { plan, rule } = options
      if (plan !== undefined && session === undefined && rule === undefined)
        return runs((await loadPlan()).deletePlan(plan, options, cli))
      if (plan !== undefined || session === undefined || rule === undefined)
        return self.error('error: give --plan, or a session and --rule')
      return runs((await load()).deleteTape(session, { ...options, rule }, cli))
    })
  const hold = group.command('hold').description('legal holds on sessions, as the ledger has them')
  const change = (act: 'set' | 'clear', description: string): Command =>
    command(hold, `${act} <session>`, description)
      .requiredOption('--reason <text>', 'for the record')
      .option('--matter <name>', 'what it is held for; a session may be held for several')
      .option('--key-file <file>', 'file with your access key')
      .addHelpText('after', `${KEY_HELP}${EXIT_HELP}${CONFIG_HELP}`)
      .action(async (session: string, options: HoldOptions) => runs((await load()).changeHold(act, session, options, cli)))
  change('set', 'keep a session, whatever retention says')
  change('clear', 'lift it, for this matter')
  command(hold, 'list [session]', 'what is held, for which matter and by whom')
    .addHelpText(
      'after',
      `\nWith a session: exit code 1 where it is not held. Whoever deletes asks this first.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (session: string | undefined, options: Common) => runs((await load()).listHolds(session, options, cli)))
}

function ledger(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./ledger.ts')
  command(group, 'list', 'entries, oldest first, as they stand; `verify` says whether to believe them')
    .option('--session <session>', 'only of this session: an id, or the beginning or end of one')
    .option('--type <type>', 'only of this type, or of a family: approval, evidence')
    .option('--since <time>', 'noted since then: 7d, 24h, or a date')
    .option('--until <time>', 'noted before')
    .addOption(new Option('--last <count>', 'only the newest of them').argParser(whole))
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (options: ListOptions) => runs((await load()).listLedger(options, cli)))
  command(group, 'show <entry>', 'one entry, by its index or the first of a session, which the end of its id names').action(
    async (entry: string, options: Common) => runs((await load()).showEntry(entry, options, cli)),
  )
  command(group, 'checkpoint', 'the newest checkpoint, a signed note: keep it elsewhere')
    .option('--keys', 'the verifier keys of those who sign checkpoints, for tools of other makes')
    .action(async (options: Common & { keys?: true }) => runs((await load()).showCheckpoint(options, cli)))
  command(group, 'proof <entry>', 'a C2SP tlog-proof of an entry, or that a session was opened')
    .option('--out <file>', 'write it there (.tlog-proof)')
    .action(async (entry: string, options: Common & { out?: string }) => runs((await load()).proveEntry(entry, options, cli)))
  command(group, 'check-proof <file>', 'check such a proof, offline')
    .option('--trust <file>', "public keys of the gateways to believe, a gateway.pub (default: the configuration's)")
    .option('--key <key...>', 'verifier keys to believe, name+hash+key')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (file: string, options: CheckOptions) => runs((await load()).checkProofFile(file, options, cli)))
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw takes('a number above 0')
  return value
}

function minutesOrHours(text: string): string {
  if (!/^[1-9]\d{0,3}[mh]$/.test(text)) throw takes('minutes or hours, such as 45m or 8h')
  return text
}

function frameRuns(text: string): FrameRuns {
  const runs = parseFrames(text)
  if (runs === undefined) throw takes('frame numbers and runs of them, such as 10-20,35; 100,000 frames at most')
  return runs
}

/** A time means the same wherever the command runs: a day (of UTC), or a time with its offset; and a day there is. */
function moment(text: string): number {
  const day = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(text)?.[1]
  const ms = Date.parse(text)
  if (day === undefined || Number.isNaN(ms) || !new Date(`${day}T00:00:00Z`).toISOString().startsWith(day))
    throw takes('a day or a time with its offset, such as 2026-11-28, 2026-11-28T12:00:00Z or 2026-11-28T13:00:00+01:00')
  return ms
}

/** `auto` knows a container's quota. */
function processCount(text: string): number {
  return text === 'auto' ? Math.min(availableParallelism(), MAX_WORKERS) : workerCount(text, ', or auto')
}

function workerCount(text: string, others = ''): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > MAX_WORKERS) throw takes(`a number from 1 to ${MAX_WORKERS}${others}`)
  return count
}
