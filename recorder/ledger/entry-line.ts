import { base64Of } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { MAX_LINE_SIZE } from '../../schemas/verify/ledger-line.ts'
import { signedBytes } from '../tape/keys.ts'
import { type GatewaySigner, keyIdOf } from '../tape/signer.ts'

/** What is added to an entry when it is written. */
export interface Envelope {
  readonly gateway: string
  readonly n: number
  readonly at: string
  readonly sessions: number
}

/** Canonical JSON (RFC 8785) of what entries hold: members sorted, no spaces; numbers are integers. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed())
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name.toWellFormed())}:${canonicalJson(member)}`).join(',')}}`
}

/** `[statement,"key id","signature"]`, without its newline. Rejects RECORDER_FAILED for an entry that is too long. */
export async function entryLine(
  entry: LedgerEntry,
  { gateway, n, at, sessions }: Envelope,
  signer: GatewaySigner,
): Promise<Buffer> {
  const statement = Buffer.from(canonicalJson({ ...entry, v: 1, gateway, n, at, sessions }))
  const signature = base64Of(await signer.sign(signedBytes('entry', statement)))
  const line = Buffer.concat([Buffer.from('['), statement, Buffer.from(`,"${keyIdOf(signer.publicKey)}","${signature}"]`)])
  if (line.length > MAX_LINE_SIZE)
    throw new ApplianceError(
      'RECORDER_FAILED',
      `a ledger entry ${entry.type} of ${line.length} bytes, the limit is ${MAX_LINE_SIZE}`,
    )
  return line
}
