import { buildAutomaton } from './automaton.ts'
import { ASSIGNMENT_DETECTORS } from './detect-assignments.ts'
import { HEADER_DETECTORS } from './detect-headers.ts'
import { HEX_DETECTORS } from './detect-hex.ts'
import { PII_DETECTORS } from './detect-pii.ts'
import { SQL_DETECTORS } from './detect-sql.ts'
import { TOKEN_DETECTORS } from './detect-tokens.ts'
import type { Detector } from './detector.ts'

/** Everything the gateway recognises by content. Where two see a value at the same byte, the first here names it. */
export const DETECTORS: readonly Detector[] = [
  ...TOKEN_DETECTORS,
  ...PII_DETECTORS,
  ...HEADER_DETECTORS,
  ...SQL_DETECTORS,
  ...HEX_DETECTORS,
  ...ASSIGNMENT_DETECTORS,
]

/** The triggers of all detectors in one table; owners are indices into `DETECTORS`. */
export const AUTOMATON = buildAutomaton(
  DETECTORS.flatMap((detector, owner) =>
    detector.triggers.map((text) => ({
      text,
      owner,
      ...(detector.ignoreCase === undefined ? {} : { ignoreCase: detector.ignoreCase }),
    })),
  ),
)
