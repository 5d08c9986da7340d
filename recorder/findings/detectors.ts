import type { DetectorName } from '../../schemas/findings.ts'
import { approvalAnomaly } from './approvals.ts'
import { apiEnumeration, firstAccess, maskProbing, recordingIntegrity, schemaEnumeration } from './behaviour.ts'
import { denyVariant } from './denied.ts'
import type { Detector } from './detector.ts'
import { egressAfterPull } from './egress.ts'
import { bulkVerbs, packing, secretReads } from './export.ts'
import { paginationWalk } from './pages.ts'
import { stitchedKeys, stitchedRows } from './stitched.ts'
import { baselineBreak, largePull, lowAndSlow, maskedSweep, offHours, peerBreak } from './volume.ts'

/** In the order they run: later ones may look at what earlier ones found. */
export const RUNS: Readonly<Record<DetectorName, Detector>> = {
  'large-pull': largePull,
  'baseline-break': baselineBreak,
  'peer-break': peerBreak,
  'stitched-rows': stitchedRows,
  'stitched-keys': stitchedKeys,
  'pagination-walk': paginationWalk,
  'low-and-slow': lowAndSlow,
  'first-access': firstAccess,
  'schema-enumeration': schemaEnumeration,
  'api-enumeration': apiEnumeration,
  'bulk-verbs': bulkVerbs,
  'secret-reads': secretReads,
  'egress-after-pull': egressAfterPull,
  packing,
  'mask-probing': maskProbing,
  'deny-variant': denyVariant,
  'masked-sweep': maskedSweep,
  'approval-anomaly': approvalAnomaly,
  'off-hours': offHours,
  'recording-integrity': recordingIntegrity,
}

/** Those whose drafts another one looks at. */
export const LOOKS_AT: Readonly<Partial<Record<DetectorName, readonly DetectorName[]>>> = {
  'egress-after-pull': ['stitched-rows', 'stitched-keys'],
}

/** Found once a week for each actor and object, however it grows; others once for each place where they begin. */
export const WEEKLY: ReadonlySet<DetectorName> = new Set([
  'stitched-rows',
  'stitched-keys',
  'low-and-slow',
  'peer-break',
  'approval-anomaly',
])
