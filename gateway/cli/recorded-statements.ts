import { listSessions, openTape } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Asked } from '../policy/command-diff.ts'
import { describers } from '../protocols/describers.ts'
import type { Cli } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { fullId } from './replay.ts'

const NEWEST_SESSIONS = 100
/** How often whoever waits at a terminal is told. */
const TOLD_EVERY_MS = 500

/** What of recorded sessions could not be asked again. */
export interface Unasked {
  /** Operations on files, forwards, shells: a policy cannot be asked about them by a text. */
  others: number
  /** Tapes that cannot be read, and why. */
  readonly unread: { readonly session: string; readonly why: string }[]
}

/** What a policy can be asked about again, as `policy explain` writes it; undefined where it cannot. */
export function askedAgain(protocol: ProtocolName, kind: string, text: string): string | undefined {
  switch (protocol) {
    case 'postgres':
      return kind === 'function-call' ? undefined : text
    case 'ssh':
      return kind === 'exec' || kind === 'line' ? text : undefined
    case 'http':
    case 'egress':
    case 'kubernetes':
      // The body stands behind an empty line.
      return kind === 'request' ? text.replace('\n', '\n\n') : undefined
    case 'echo':
      return text
    default:
      return protocol satisfies never
  }
}

/**
 * The statements of the sessions named, or of the newest hundred, oldest first, as they stand on the tapes: masked where something was
 * masked. A tape that cannot be read is noted, and the others go on.
 */
export async function* recordedStatements(
  { config, session = [] }: { readonly config?: string; readonly session?: readonly string[] },
  cli: Cli,
  unasked: Unasked,
): AsyncGenerator<Asked> {
  const { store } = await evidenceOf(config, cli)
  const ids = await Promise.all(session.map((part) => fullId(store, part)))
  if (session.length === 0) {
    for await (const { id } of listSessions(store)) ids.push(id)
    // Ids begin with the start, so the order of the ids is the order of the starts.
    ids.sort().splice(0, Math.max(0, ids.length - NEWEST_SESSIONS))
  }
  let toldAtMs = performance.now()
  for (const [index, id] of ids.entries()) {
    if (cli.isTerminal === true && performance.now() - toldAtMs >= TOLD_EVERY_MS) {
      toldAtMs = performance.now()
      cli.err(`\rsession ${index + 1} of ${ids.length} \r`)
    }
    try {
      const tape = await openTape(store, id)
      const { identity, target, startedAt } = tape.header.session
      const describer = describers[target.protocol]?.()
      for await (const frame of tape.frames()) {
        for (const told of describer?.read(frame) ?? []) {
          if (told.told !== 'statement') continue
          const text = askedAgain(target.protocol, told.kind, told.text)
          if (text === undefined) unasked.others++
          else yield { session: id, identity, target, atMs: Date.parse(startedAt) + frame.atUs / 1_000, text }
        }
      }
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      unasked.unread.push({ session: id, why: error.message })
    }
  }
}
