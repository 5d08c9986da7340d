import { once } from 'node:events'
import { nodeTools, openWitnessServer, Witness } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { witnessVerifierKey } from '../../schemas/verify/cosignature.ts'
import { parseVerifierKey } from '../../schemas/verify/note.ts'
import { type Cli, EXIT } from './context.ts'

export interface WitnessOptions {
  readonly folder: string
  readonly name: string
  readonly log?: readonly string[]
  readonly address: string
}

const ADDRESS = /^(?<hostname>\[[^\]]+\]|[^:]+):(?<port>\d{1,5})$/

/** Runs a witness until SIGINT or SIGTERM. Without logs it only makes its key, and prints it. */
export async function witness({ folder, name, log = [], address }: WitnessOptions, cli: Cli): Promise<number> {
  const { hostname, port } = ADDRESS.exec(address)?.groups ?? {}
  if (hostname === undefined || port === undefined || Number(port) > 65_535)
    throw new ApplianceError(
      'CONFIG_INVALID',
      `--address ${address.slice(0, 80)}: give host:port, as 127.0.0.1:8080 or [::1]:8080`,
    )
  const own = await Witness.open({ folder, name, logs: log.map((key) => parseVerifierKey(nodeTools, key)) })
  cli.out(`${witnessVerifierKey(own.key)}\n`)
  if (log.length === 0) {
    cli.err(
      'This is the key to give to gateways (ledger.witnesses) and trust policies. Name the logs to follow with --log to serve.\n',
    )
    return EXIT.ok
  }
  await using server = await openWitnessServer(own, {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    onAnswer: ({ status, body }, client) =>
      cli.err(`${new Date().toISOString()} ${client} ${status} ${safeText(body.trimEnd())}\n`),
    onError: (error) =>
      cli.err(`${new Date().toISOString()} failed: ${safeText(error instanceof Error ? error.message : String(error))}\n`),
  })
  cli.err(`witness of ${log.length === 1 ? 'one log' : `${log.length} logs`} on port ${server.port}\n`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  return EXIT.ok
}
