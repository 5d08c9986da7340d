import type { Rule } from '../../../../schemas/policy.ts'

/** A rule of a pack; which protocols' messages it is about, the policy says. */
export type ShellRule = Omit<Rule, 'on'>

/** Rules about command texts that belong together, under a name a policy can say. */
export interface ShellPack {
  /** Raised whenever a rule comes, goes, or matches something else. */
  readonly version: number
  /** What it is against, in half a sentence. */
  readonly about: string
  /** Their ids begin with the pack's name. */
  readonly rules: readonly ShellRule[]
}

/** Whoever is no person at a keyboard. */
export const AGENTS: NonNullable<Rule['who']> = { kinds: ['agent', 'service'] }
