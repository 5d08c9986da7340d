import { type Command, Option } from 'commander'
import { FRAMEWORKS } from '../../schemas/bundle.ts'
import type { BundleOptions, VerifyBundleOptions } from './bundle.ts'
import type { Cli } from './context.ts'
import type { ExportOptions } from './export.ts'
import { EXPORT_FORMATS } from './export-formats.ts'
import { CONFIG_HELP, EXIT_HELP, type Make, type Runs, VERDICTS_HELP, whole } from './usage.ts'

/** How times and counts of workers are read. */
interface Readers {
  readonly moment: (text: string) => number
  readonly workers: (text: string) => number
}

/** The commands of audit bundles. */
export function bundleCommands(group: Command, command: Make, runs: Runs, cli: Cli, readers: Readers): void {
  const load = () => import('./bundle.ts')
  command(
    group,
    'create',
    'write what an auditor needs of a period into one file: populations, proofs, a sample, player, verifiers',
  )
    .addOption(new Option('--from <time>', 'sessions opened from then on').argParser(readers.moment).makeOptionMandatory())
    .addOption(new Option('--to <time>', 'and before then').argParser(readers.moment).makeOptionMandatory())
    .addOption(new Option('--framework <name>', 'whose criteria it is ordered by').choices([...FRAMEWORKS]).default('soc2'))
    .option('--scope <scope...>', 'only of these: target=shop,web-1, identity=ada@example.com or label=env=prod')
    .addOption(new Option('--sample <count>', 'sessions drawn, with their recordings').default(25).argParser(whole))
    .option('--small', 'at most 50 MB: recordings of the sample without room are left out, and named')
    .option('--seed <text>', 'what the sample is drawn by: the auditor’s (default: made up, and told)')
    .addOption(new Option('--verify <which>', 'recordings verified byte by byte').choices(['all', 'sample']).default('all'))
    .addOption(new Option('--watermark <size>', 'as of this checkpoint of the ledger (default: the newest)').argParser(whole))
    .addOption(new Option('--workers <count>', 'recordings looked into at once').argParser(readers.workers))
    .requiredOption('--out <file>', 'a new file, ending in .zip')
    .option('--reason <text>', 'why, for the ledger')
    .option('--key-file <file>', 'file with your access key (default: SALLYPORT_KEY, else the system user is noted)')
    .addHelpText(
      'after',
      `\nThe same watermark, period, scope and seed make the same bytes, but for signatures/. Needs the gateway’s key, and tells the ledger.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (options: BundleOptions) => runs((await load()).createBundleFile(options, cli)))
  command(group, 'verify <path>', 'check a bundle, packed or unpacked, offline')
    .option('--trust <file>', 'public keys of the gateways to believe, a gateway.pub (default: those in the bundle)')
    .option('--tsa <file>', 'certificates (PEM) of timestamp authorities, one of which must have stated when it was there')
    .addHelpText('after', VERDICTS_HELP)
    .action(async (path: string, options: VerifyBundleOptions) => runs((await load()).verifyBundleFile(path, options, cli)))
}

/** What takes a session out in the format of other tools. */
export function exportCommand(program: Command, command: Make, runs: Runs, cli: Cli): void {
  command(
    program,
    'export <session>',
    'write a session for other tools: statements as CSV, Parquet, OCSF or ASIM events, HTTP as HAR, packets as pcapng, a terminal as an asciicast',
  )
    .addOption(new Option('--format <name>', 'which').choices([...EXPORT_FORMATS]).makeOptionMandatory())
    .requiredOption('--out <file>', 'a new file')
    .addOption(new Option('--channel <number>', 'whose terminal (default: the first that has one)').argParser(whole))
    .option('--reason <text>', 'why, for the ledger')
    .option('--key-file <file>', 'file with your access key (default: SALLYPORT_KEY, else the system user is noted)')
    .addHelpText(
      'after',
      `\nDerived from the recording, which alone proves anything; the ledger is told.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (session: string, options: ExportOptions) =>
      runs((await import('./export.ts')).exportSession(session, options, cli)),
    )
}
