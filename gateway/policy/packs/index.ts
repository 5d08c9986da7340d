import type { PackName, PackUse, PolicyFile, Rule } from '../../../schemas/policy.ts'
import { SHELL_PACKS } from '../shell/packs/index.ts'
import type { ShellPack } from '../shell/packs/pack.ts'
import { bulkRead } from './bulk-read.ts'
import { destructive } from './destructive.ts'
import { enumeration } from './enumeration.ts'
import { exfiltration } from './exfiltration.ts'
import type { Pack } from './pack.ts'
import { privilege } from './privilege.ts'
import { sideChannel } from './side-channel.ts'

/** Whose messages have command texts: of SSH's and of a pod's exec. */
const COMMANDS: NonNullable<Rule['on']> = ['ssh', 'kubernetes']

export const PACKS: Readonly<Record<PackName, Pack>> = {
  exfiltration,
  destructive,
  'bulk-read': bulkRead,
  enumeration,
  privilege,
  'side-channel': sideChannel,
  ...forCommands(SHELL_PACKS),
}

/** What is said of command texts is asked where they come. */
function forCommands<Name extends string>(packs: Readonly<Record<Name, ShellPack>>): Readonly<Record<Name, Pack>> {
  const named = Object.entries<ShellPack>(packs).map(([name, { rules, ...pack }]): [string, Pack] => [
    name,
    { name, ...pack, rules: rules.map((rule): Rule => ({ ...rule, on: COMMANDS })) },
  ])
  return Object.fromEntries(named) as Record<Name, Pack> // one for each name
}

/** undefined: there is none of this name. */
export function packNamed(name: string): Pack | undefined {
  return Object.values(PACKS).find((pack) => pack.name === name)
}

type Path = readonly (string | number)[]

/** A rule in force, and where in the policy file it comes from. */
export interface PlacedRule {
  readonly rule: Rule
  readonly path: Path
}

/** A use of a pack as it may be written short. */
export function packUse(use: NonNullable<PolicyFile['packs']>[number]): PackUse {
  return typeof use === 'string' ? { pack: use } : use
}

/** Every rule of a policy: its own, then those of its packs as it tunes them, in the order of the file. */
export function rulesOf(file: Pick<PolicyFile, 'packs' | 'rules'>): readonly PlacedRule[] {
  const own = (file.rules ?? []).map((rule, index): PlacedRule => ({ rule, path: ['rules', index] }))
  const packed = (file.packs ?? []).flatMap((written, index) => {
    const use = packUse(written)
    return (packNamed(use.pack)?.rules ?? []).flatMap((rule): PlacedRule[] => {
      const tuning = use.rules?.[rule.id.slice(use.pack.length + 1)]
      if (tuning === 'off') return []
      const path = tuning === undefined ? ['packs', index] : ['packs', index, 'rules', rule.id.slice(use.pack.length + 1)]
      return [{ rule: tuned(rule, use, tuning), path }]
    })
  })
  return [...own, ...packed]
}

/** What the policy says of the pack is for all its rules, what it says of a rule for that one. */
function tuned(rule: Rule, { who, except, targets, mode, approval }: PackUse, tuning: Partial<Rule> = {}): Rule {
  const action = tuning.action ?? rule.action
  return {
    ...rule,
    ...(who === undefined ? {} : { who }),
    ...(except === undefined ? {} : { except }),
    ...(targets === undefined ? {} : { targets }),
    ...(mode === undefined ? {} : { mode }),
    ...(approval === undefined || action !== 'hold' ? {} : { approval }),
    ...tuning,
  }
}
