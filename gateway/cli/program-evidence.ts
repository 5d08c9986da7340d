import { type Command, Option } from 'commander'
import { DETECTOR_NAMES, DISPOSITIONS, type DispositionState, SEVERITIES } from '../../schemas/findings.ts'
import type { CatalogOptions, ReconcileOptions } from './catalog.ts'
import type { Cli } from './context.ts'
import type { FindingsOptions } from './findings.ts'
import type { PullsOptions } from './pulls.ts'
import type { SearchOptions } from './search.ts'
import type { ShowOptions } from './sessions.ts'
import type { TopOptions } from './top.ts'
import { CONFIG_HELP, EXIT_HELP, type Make, type Runs, seconds, whole } from './usage.ts'

const ASK_HELP = `
The running console is asked, as whoever's access key is in SALLYPORT_KEY or in the file named by --key-file, and notes it in the ledger.`

/** A command that asks the running console. */
function asking(parent: Command, command: Make, usage: string, description: string, help = '', exits = EXIT_HELP): Command {
  return command(parent, usage, description)
    .option('--url <url>', "of another console than the configuration's")
    .option('--key-file <file>', 'file with your access key')
    .option('--purpose <text>', 'why, for the ledger')
    .addHelpText('after', `${help}${ASK_HELP}${exits}${CONFIG_HELP}`)
}

/** Commands that look for something in what is recorded. */
export function evidenceCommands(program: Command, command: Make, runs: Runs, cli: Cli): void {
  asking(
    program,
    command,
    'search [terms...]',
    'find statements, result rows, terminal text, output and bodies',
    `
Terms are joined by and; a minus in front means not:
  identity:agent-*  principal:  family:ada  target:  table:customers  verb:COPY  rule:  session:  protocol:ssh  state:live
  verdict:block  outcome:refused  in:result|statement|terminal|output|body  rows>1000  bytes>=1  masked>0
  since:7d  until:2026-11-20  text:"drop table"; words without a name are one text, -word is not in it`,
  )
    .addOption(new Option('--limit <count>', 'hits of a page, 200 at most').argParser(whole))
    .option('--cursor <cursor>', 'the following page')
    .option('--facets', 'count by identity, target, place, verdict and table as well')
    .action(async (terms: string[], options: SearchOptions) => runs((await import('./search.ts')).search(terms, options, cli)))
  asking(program, command, 'pulls', 'who took the most of what: rows, different rows, bytes, by person, target and table')
    .option('--table <name>', 'only of these; * stands for any characters')
    .option('--target <name>', 'only from these')
    .option('--identity <subject>', 'only by these, or who acts for them')
    .option('--since <time>', '7d, 24h, or a date')
    .option('--until <time>', 'the same')
    .action(async (options: PullsOptions) => runs((await import('./pulls.ts')).pulls(options, cli)))
  asking(
    program,
    command,
    'top',
    'what runs now: gateways, sessions, what waits for people',
    `
Rates and memory come from the configured monitoring, or of each gateway named with --monitoring. Keys: q quits, f o w t a sort.
--json: one snapshot; with --interval one line each time.`,
  )
    .option('--monitoring <address...>', 'of these gateways, http://host:9464')
    .option('--once', 'tell once and end')
    .addOption(new Option('--interval <seconds>', 'between two looks (default: 2)').argParser(seconds))
    .addOption(new Option('--sort <order>', 'sessions by this').choices(['frames', 'out', 'who', 'target', 'age']))
    .action(async (options: TopOptions) => runs((await import('./top.ts')).top(options, cli)))
  catalog(program, command, runs, cli)
  findings(program.command('findings').description('what detectors found, and what people made of it'), command, runs, cli)
}

function catalog(program: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./catalog.ts')
  const group = program.command('catalog').description('what searches and findings are answered from')
  asking(group, command, 'status', 'how much it has, and how far behind the tapes it is').action(
    async (options: CatalogOptions) => runs((await load()).catalogStatus(options, cli)),
  )
  asking(
    group,
    command,
    'rebuild',
    'drop it and read every tape again, as an admin; waits for it',
    '\nIt answers meanwhile from what it has read; interrupted, or ended with its gateway, it goes on by itself.',
  ).action(async (options: CatalogOptions) => runs((await load()).rebuildCatalog(options, cli)))
  asking(
    program,
    command,
    'reconcile',
    'compare ledger, tapes and catalog: what is missing, too much, damaged, still live',
    '\nThe comparison is noted in the ledger. What a tape holds is for `sallyport verify` to check.',
    '\nExit codes: 0 all accounted for, 10 only the catalog differs (rebuild it), 20 evidence is missing, too much or damaged; 1 failed, 2 wrong usage.',
  )
    .option('--no-catalog', 'ledger and tapes alone; no console is asked then')
    .action(async (options: ReconcileOptions) => runs((await load()).reconcileAll(options, cli)))
}

/** Beside the list, which needs no console. */
export function sessionCommands(sessions: Command, command: Make, runs: Runs, cli: Cli): void {
  asking(sessions, command, 'show <session>', 'what happened in one, in a few sentences')
    .option('--llm', 'have the configured model write a summary, too: masked text leaves for it, and the ledger has how much')
    .action(async (id: string, _own: object, self: Command) =>
      // An option both commands know is the outer one's.
      runs((await import('./sessions.ts')).showSession(id, self.optsWithGlobals<ShowOptions>(), cli)),
    )
}

function findings(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./findings.ts')
  asking(group, command, 'list', 'open and severe first')
    .addOption(new Option('--state <state>', 'only these').choices(DISPOSITIONS))
    .addOption(new Option('--severity <severity>', 'only these').choices(SEVERITIES))
    .addOption(new Option('--detector <name>', 'only of this one').choices(DETECTOR_NAMES))
    .option('--session <session>', 'only those with evidence in it')
    .option('--cursor <cursor>', 'the following page')
    .action(async (options: FindingsOptions) => runs((await load()).listFindings(options, cli)))
  asking(
    group,
    command,
    'explain <finding>',
    'every number with the frames it comes from; its detector runs again',
    '\n1: the detector does not give the same any more.',
  ).action(async (id: string, options: FindingsOptions) => runs((await load()).explainFinding(id, options, cli)))
  asking(group, command, 'dispose <finding>', 'judge it; the ledger has who and why')
    .addOption(
      new Option('--state <state>', 'true: what it looks like; benign: it is, and may be; false: the detector is wrong')
        .choices(DISPOSITIONS)
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'for the record')
    .action(async (id: string, options: FindingsOptions & { state: DispositionState; reason: string }) =>
      runs((await load()).disposeFinding(id, options, cli)),
    )
}
