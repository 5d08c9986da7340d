import { parseLine } from '../../schemas/verify/ledger-line.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { isSignedBy } from './entry-signer.ts'

/** The members that matter, as canonical JSON has them: most lines need not be parsed. */
const TYPE = /"type":"(session\.open|session\.close|session\.recover|recording\.failed|retention\.delete)"/
const SESSION = /"session":"([A-Za-z0-9-]{1,100})"/

/** Sessions that a ledger opened and of whose end it has no word, as far as its lines have been seen. */
export class Unended {
  /** The opening line, by session. */
  readonly #opened = new Map<string, Buffer>()

  /** Whether a line is an entry at all, and by whom, is asked of what is left in the end. */
  saw(line: Buffer): void {
    const text = line.toString('latin1')
    const type = TYPE.exec(text)?.[1]
    const session = type === undefined ? undefined : SESSION.exec(text)?.[1]
    if (session === undefined) return
    // A line is a slice of what was read at once: what is kept must not keep it all.
    if (type === 'session.open') this.#opened.set(session, Buffer.from(line))
    else this.#opened.delete(session)
  }

  /** Those of the gateways meant whose opening one of these keys has signed. */
  sessions(isMeant: (gateway: string) => boolean, keys: readonly GatewayKey[]): readonly string[] {
    return [...this.#opened].flatMap(([session, line]) => {
      const entry = parseLine(line)
      return entry !== undefined && isMeant(entry.statement.gateway) && isSignedBy(entry, keys) ? [session] : []
    })
  }
}
