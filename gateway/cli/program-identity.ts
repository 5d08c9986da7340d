import type { Command } from 'commander'
import type { Cli } from './context.ts'
import type { KeyOptions } from './keys.ts'
import type { KubeconfigOptions } from './kubeconfig.ts'
import type { TokenOptions } from './login.ts'
import { CONFIG_HELP, EXIT_HELP, type Make, type Runs } from './usage.ts'

interface Common {
  readonly config?: string
  readonly json?: true
}
type Change = Common & { readonly reason: string; readonly keyFile?: string }

/** Commands about who somebody is: keys, tokens, and who is kept out; and whom clients are to trust. */
export function identityCommands(
  program: Command,
  group: (name: string, description: string) => Command,
  command: Make,
  runs: Runs,
  cli: Cli,
): void {
  keys(group('keys', 'access keys of identities'), command, runs, cli)
  command(group('tokens', 'access keys that end soon and open little'), 'create <subject>', 'make one; it is shown once')
    .requiredOption('--ttl <time>', 'how long it lives: 30m, 8h; a day at most')
    .option('--target <names...>', 'all that it reaches (default: whatever its subject does)')
    .option('--verb <verbs...>', 'all that may be asked with it: SELECT, GET, EXEC ... (default: whatever policy allows)')
    .option('--run <id>', 'the piece of work it is for: its sessions are found by it')
    .option('--purpose <text>', 'why, for the record')
    .addHelpText('after', `\nlist and revoke it among the keys. It opens neither console nor API.${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (subject: string, options: KeyOptions & { ttl: string }) =>
      runs((await import('./keys.ts')).createToken(subject, options, cli)),
    )
  program
    .command('login <console>')
    .description('sign in at the issuer of a console, from a terminal; the token is then what you show to targets')
    .addHelpText('after', EXIT_HELP)
    .action(async (url: string) => runs((await import('./login.ts')).login(url, cli)))
  program
    .command('token')
    .description('the token of `sallyport login`, renewed when it is about to run out')
    .option('--exec-credential', 'as kubectl takes it from an exec plugin (client.authentication.k8s.io/v1)')
    .option('--pgpass <file>', 'write it as a password file of libpq, for PGPASSFILE')
    .addHelpText('after', `\nPGPASSWORD=$(sallyport token) psql ...${EXIT_HELP}`)
    .action(async (options: TokenOptions) => runs((await import('./login.ts')).token(options, cli)))
  program
    .command('kubeconfig [targets...]')
    .description('print a kubeconfig for kubernetes targets; it holds no secret')
    .option('--config <file>', 'the configuration')
    .option('--server <url>', 'where clients reach the listener, https://host:port')
    .option('--key-file <file>', 'where kubectl finds the access key (default: in SALLYPORT_KEY)')
    .option('--login', 'show the token of `sallyport login` instead of an access key')
    .option('--exec-api <version>', 'v1, or v1beta1 for kubectl before 1.22', 'v1')
    .option('--command <name>', 'how sallyport is called where kubectl runs', 'sallyport')
    .addHelpText(
      'after',
      `\nkubectl asks \`sallyport kube-credential\` for the key, which needs no configuration.${EXIT_HELP}${CONFIG_HELP}`,
    )
    .action(async (targets: string[], options: KubeconfigOptions) =>
      runs((await import('./kubeconfig.ts')).kubeconfig(targets, options, cli)),
    )
  program
    .command('kube-credential')
    .description('show an access key to kubectl: its credential plugin')
    .option('--key-file <file>', 'where it is (default: in SALLYPORT_KEY)')
    .action(async (options: { keyFile?: string }) => runs((await import('./kubeconfig.ts')).kubeCredential(options, cli)))
  command(group('egress', 'the forward proxy'), 'ca', 'print the certificate that clients of intercepted hosts have to trust')
    .addHelpText('after', `${EXIT_HELP}${CONFIG_HELP}`)
    .action(async (options: Common) => runs((await import('./egress.ts')).egressCa(options, cli)))
  identities(group('identities', 'who is kept out, whatever they prove'), command, runs, cli)
}

function keys(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./keys.ts')
  command(group, 'create <subject>', 'make an access key for a configured identity; it is shown once')
    .option('--expires <time>', 'when it ends: 90d, 12h, 30m, or an ISO date')
    .action(async (subject: string, options: Common & { expires?: string }) =>
      runs((await load()).createKey(subject, options, cli)),
    )
  command(group, 'list', 'keys by id; never the keys themselves').action(async (options: Common) =>
    runs((await load()).listKeys(options, cli)),
  )
  command(group, 'revoke <id>', 'end a key, and the sessions that were opened with it').action(
    async (id: string, options: Common) => runs((await load()).revokeKey(id, options, cli)),
  )
}

function identities(group: Command, command: Make, runs: Runs, cli: Cli): void {
  const load = () => import('./identities.ts')
  const change = (act: 'block' | 'unblock', description: string): Command =>
    command(group, `${act} <subject>`, description)
      .requiredOption('--reason <text>', 'for the record')
      .option('--key-file <file>', 'file with your access key')
      .addHelpText(
        'after',
        `\nA name counts however it is written (Ada, ada). The ledger is told who did: the owner of the key in SALLYPORT_KEY or --key-file, else the system's user.${EXIT_HELP}${CONFIG_HELP}`,
      )
      .action(async (subject: string, options: Change) => runs((await load()).changeIdentity(act, subject, options, cli)))
  change(
    'block',
    'keep somebody out, and every agent that acts for them: keys, tokens, single sign-on, everything; open sessions end',
  )
  change('unblock', 'let them in again')
  command(group, 'list', 'who is kept out').action(async (options: Common) => runs((await load()).listBlocked(options, cli)))
}
