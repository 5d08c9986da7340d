import type { BundleManifest } from '../../schemas/bundle.ts'

/** What the pages tell; all of it stands in the bundle's other files as well. */
export interface PageFacts extends Omit<BundleManifest, 'files' | 'format' | 'v'> {
  readonly completeness: Readonly<Record<string, unknown>>
  readonly sampled: readonly string[]
  /** Session, state, why. */
  readonly gaps: readonly (readonly string[])[]
}

export const FRAMEWORK_NAMES = { soc2: 'SOC 2', iso27001: 'ISO/IEC 27001:2022', pci: 'PCI DSS 4.0.1' } as const
