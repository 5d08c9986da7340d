import { safeText } from '../safe-text.ts'
import type { LedgerVerification, Problem, TapeVerification, TrustVerification, Verification } from '../verification.ts'

const TRUST: Readonly<Record<Verification['trust'], string>> = {
  given: 'signatures were checked with the keys you named',
  beside:
    'signatures were checked with the keys beside the tapes, which whoever changed the tapes could have changed too; ' +
    'keep a copy of keys/gateway.pub elsewhere and name it with --trust',
  none: 'there are no keys to check signatures with; name a gateway.pub with --trust',
}

/** A verification in words, a line each; safe for terminals. */
export function verificationLines({
  path,
  verdict,
  tapes,
  frames,
  trust,
  foreign,
  foreignCount,
  ledger,
  policy,
}: Verification): string[] {
  const count = tapes.length === 1 ? '1 tape' : `${tapes.length} tapes`
  const others = foreign.map((key) => `${safeText(key)} is no part of a tape, and was not looked at`)
  if (foreignCount > foreign.length) others.push(`... and ${foreignCount - foreign.length} more that are no part of a tape`)
  return [
    ...tapes.flatMap(tapeLines),
    ...others,
    ...(ledger === null ? [] : ledgerLines(ledger)),
    ...(policy === undefined ? [] : policyLines(policy)),
    `${verdict}: ${safeText(path)} (${count}, ${frames} frames)`,
    ...(ledger === null ? ['no ledger was looked at, so whether anything is missing cannot be told'] : []),
    TRUST[trust],
  ]
}

function ledgerLines(ledger: LedgerVerification): string[] {
  const { verdict, origin, size, malformed, checkpoints, checkpoint, writers, problems, problemCount } = ledger
  const last = checkpoint === null ? 'no checkpoint' : `${checkpoints} checkpoints, the last of ${checkpoint.size} entries`
  const lines = [safeText(`ledger ${origin ?? 'without a name'}  ${verdict}  ${size} entries, ${last}`)]
  const add = (line: string): void => void lines.push(`  ${safeText(line)}`)
  if (malformed > 0) add(`${malformed} lines are no entries: torn by a crash, or a stranger's; they were passed over`)
  for (const { gateway, state, lastAt, open } of writers)
    if (state === 'silent')
      add(`${gateway} was last heard of at ${lastAt}, with ${open} open sessions, and did not say gateway.stop`)
  for (const problem of problems) add(problemLine(problem))
  if (problemCount > problems.length) add(`... and ${problemCount - problems.length} more problems`)
  return lines
}

function policyLines({ verdict, size, attestations, problems }: TrustVerification): string[] {
  const upTo = size === null ? 'met by no checkpoint' : `met up to a checkpoint of ${size} entries`
  const lines = [`trust policy  ${verdict}  ${upTo}`]
  for (const { name, kind, size: own, at } of attestations)
    lines.push(
      `  ${safeText(`${kind} ${name}: ${own === null ? 'nothing' : `${own} entries${at === null ? '' : `, at ${at}`}`}`)}`,
    )
  for (const problem of problems) lines.push(`  ${safeText(problemLine(problem))}`)
  return lines
}

function tapeLines(tape: TapeVerification): string[] {
  const { session, verdict, state, frames, chunks, signer, recovered, unattested, lastGood, problems, problemCount } = tape
  const { durability, lossWindow, excerpt } = tape
  const by = signer === null ? 'not signed' : `signed by ${signer.gateway} (${signer.algorithm} ${signer.keyId})`
  const lines = [
    safeText(
      `${session}  ${verdict}  ${state}, ${frames} frames in ${chunks} chunks, ${by}, durability ${durability ?? 'unknown'}`,
    ),
  ]
  const add = (line: string): void => void lines.push(`  ${safeText(line)}`)
  if (recovered !== null) {
    add(`frames ${recovered.first}-${recovered.last} are attested by their recovery only (${recovered.by}, ${recovered.at})`)
  }
  if (excerpt !== undefined) {
    const runs = excerpt.disclosed.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
    add(`an excerpt: frames ${runs.join(', ')} are disclosed, ${excerpt.hidden} more are hidden`)
  }
  if (unattested > 0) add(`${unattested} frames behind a break in the chain are attested by nobody`)
  if (verdict !== 'VALID' && lastGood !== null) {
    const at = `${(lastGood.atUs / 1e6).toFixed(3)} s after the start, chunk ${lastGood.chunk}`
    add(`the chain of signatures is unbroken up to frame ${lastGood.frame} (${at})`)
  }
  if (verdict === 'VALID-INCOMPLETE' && lossWindow !== null)
    add(`what may be missing after it, recorded with durability ${durability}: ${lossWindow}`)
  for (const problem of problems) add(problemLine(problem))
  if (problemCount > problems.length) add(`... and ${problemCount - problems.length} more problems`)
  return lines
}

function problemLine({ verdict, part, what, object, offset, chunk, frame, frames, entry }: Problem): string {
  const where = [
    ...(frame === undefined ? [] : [`frame ${frame}`]),
    ...(frames === undefined ? [] : [`frames ${frames[0]}-${frames[1]}`]),
    ...(chunk === undefined ? [] : [`chunk ${chunk}`]),
    ...(entry === undefined ? [] : [`entry ${entry}`]),
    offset === undefined ? object : `${object} at byte ${offset}`,
  ]
  return `${verdict}  ${part}: ${what} (${where.join(', ')})`
}
