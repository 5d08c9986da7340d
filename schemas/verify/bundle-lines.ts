import { safeText } from '../safe-text.ts'
import type { BundleVerification } from './bundle-verification.ts'
import { verificationLines } from './lines.ts'

/** A bundle's verification in words, a line each; safe for terminals. */
export function bundleLines(path: string, result: BundleVerification & { readonly trust: 'given' | 'beside' }): string[] {
  const { manifest, verdict, made, files, lines, sessions, tapes, figures, sampled, problems, problemCount, trust } = result
  const tapeLines = sampled.flatMap((tape) =>
    verificationLines({
      path,
      verdict: tape.verdict,
      exit: tape.exit,
      trust,
      frames: tape.frames,
      tapes: [tape],
      ledger: null,
      foreign: [],
      foreignCount: 0,
    }).slice(0, -3),
  )
  const about =
    manifest === null
      ? []
      : [
          `${manifest.framework}, sessions opened from ${manifest.period.from} to before ${manifest.period.to}`,
          `made ${made?.replace(/^made /, '') ?? 'by nobody that is trusted'}`,
          `${files} files, ${lines} lines of the log ${manifest.watermark.origin} up to entry ${manifest.watermark.size}, ${figures} figures`,
          `${sessions} sessions: ${Object.entries(tapes)
            .map(([state, count]) => `${count} ${state}`)
            .join(', ')}; ${sampled.length} recordings here, drawn with seed ${manifest.sample.seed}`,
        ]
  return [
    ...about.map(safeText),
    ...tapeLines,
    ...problems.map(({ verdict: leads, part, what, object }) => safeText(`${leads}  ${part}: ${what} (${object})`)),
    ...(problemCount > problems.length ? [`... and ${problemCount - problems.length} more problems`] : []),
    `${verdict}: ${safeText(path)}`,
    trust === 'given'
      ? 'signatures were checked with the keys you named'
      : 'signatures were checked with the keys in the bundle, which whoever made another bundle could have put there; name a gateway.pub with --trust',
  ]
}
