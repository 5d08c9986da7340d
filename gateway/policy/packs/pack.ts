import type { Rule } from '../../../schemas/policy.ts'

/** Rules that belong together, under a name a policy can say. */
export interface Pack {
  readonly name: string
  /** Raised whenever a rule comes, goes, or matches something else. */
  readonly version: number
  /** What it is against, in half a sentence. */
  readonly about: string
  /** Their ids begin with the pack's name. */
  readonly rules: readonly Rule[]
}

/** Whoever is no person at a keyboard. */
export const AGENTS: NonNullable<Rule['who']> = { kinds: ['agent', 'service'] }
