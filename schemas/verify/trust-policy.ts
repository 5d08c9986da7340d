import { ApplianceError } from '../errors.ts'
import { parseWitnessKey, type WitnessKey } from './cosignature.ts'
import { type NoteKey, parseVerifierKey } from './note.ts'
import type { VerifyTools } from './tools.ts'

/** The specification asks for 32 of each at least. */
const MAX_LINES = 1000
export const MAX_POLICY_SIZE = 256 << 10

/** Who can attest that a checkpoint existed, beside its own log. */
export type Attester =
  | { readonly kind: 'witness'; readonly name: string; readonly key: WitnessKey }
  /** A timestamp authority (RFC 3161): the file of its PEM certificates, as written. */
  | { readonly kind: 'timestamp'; readonly name: string; readonly file: string }
  /** A second place where checkpoints are kept, under other rights: a folder or a container, as written. */
  | { readonly kind: 'anchor'; readonly name: string; readonly place: string }

/** `count` of the members: attesters, or groups that stand further up. */
interface Group {
  readonly name: string
  readonly count: number
  readonly members: readonly string[]
}

export interface TrustPolicy {
  /** Whose checkpoints count; none: those of the gateways that are trusted anyhow. */
  readonly logs: readonly NoteKey[]
  readonly attesters: readonly Attester[]
  readonly groups: readonly Group[]
  /** An attester, a group, or `none`. */
  readonly quorum: string
}

/**
 * A trust policy in the form of c2sp.org/tlog-policy, with two more kinds of line: `timestamp <name> <file>` and `anchor <name> <place>`. Both name
 * members of groups as witnesses are. Throws CONFIG_INVALID with every mistake, by line.
 */
export function parseTrustPolicy(tools: Pick<VerifyTools, 'sha256'>, text: string, file: string): TrustPolicy {
  const mistakes: string[] = []
  const logs: NoteKey[] = []
  const attesters = new Map<string, Attester>()
  const groups = new Map<string, Group>()
  const grouped = new Set<string>()
  const keys = new Set<string>()
  /** Named in lines that have a mistake, which has been told: what builds on them is not another. */
  const mistaken = new Set<string>()
  let quorum: string | undefined
  let hasQuorumLine = false

  const taken = (name: string): boolean => attesters.has(name) || groups.has(name)
  const known = (name: string): boolean => taken(name) || mistaken.has(name)
  const unused = (name: string): void => {
    if (name === 'none' || taken(name)) throw new Error(`the name ${name} is taken`)
  }
  const newKey = ({ publicKey }: { readonly publicKey: Uint8Array }): void => {
    const id = publicKey.join()
    if (keys.has(id)) throw new Error('this key stands here twice')
    keys.add(id)
  }
  const line = (words: readonly string[]): void => {
    const [kind = '', name = '', value = '', ...rest] = words
    switch (kind) {
      case 'log': {
        const key = parseVerifierKey(tools, name)
        newKey(key)
        logs.push(key)
        return
      }
      case 'witness': {
        unused(name)
        const key = parseWitnessKey(tools, value)
        newKey(key)
        attesters.set(name, { kind, name, key })
        return
      }
      case 'timestamp':
        unused(name)
        if (value === '') throw new Error('timestamp <name> <file with PEM certificates>')
        attesters.set(name, { kind, name, file: value })
        return
      case 'anchor':
        unused(name)
        if (value === '') throw new Error('anchor <name> <folder or address of a container>')
        attesters.set(name, { kind, name, place: value })
        return
      case 'group': {
        unused(name)
        groups.set(name, { name, count: countOf(value, rest.length), members: rest })
        for (const member of rest) {
          if (!known(member) || member === name) throw new Error(`${member} is not defined above`)
          if (grouped.has(member)) throw new Error(`${member} is in two groups, or in one twice`)
          grouped.add(member)
        }
        return
      }
      case 'quorum':
        if (quorum !== undefined) throw new Error('there is a quorum already')
        if (name !== 'none' && !known(name)) throw new Error(`${name} is not defined above`)
        quorum = name
        return
      default:
        throw new Error(`'${kind.slice(0, 40)}' is not one of log, witness, timestamp, anchor, group, quorum`)
    }
  }

  const lines = text.length > MAX_POLICY_SIZE ? [] : text.split('\n')
  if (text.length > MAX_POLICY_SIZE || lines.length > MAX_LINES)
    mistakes.push(`${file}: larger than a trust policy may be (${MAX_LINES} lines)`)
  for (const [index, each] of lines.slice(0, MAX_LINES).entries()) {
    const words = each.split(/[ \t]+/).filter((word) => word !== '')
    if (words.length === 0 || words[0]?.startsWith('#') === true) continue
    try {
      if (/[\x00-\x08\x0b-\x1f\x7f]/.test(each)) throw new Error('control characters')
      line(words)
    } catch (error) {
      const [kind, name] = words
      if (kind === 'quorum') hasQuorumLine = true
      else if (name !== undefined) mistaken.add(name)
      mistakes.push(`${file}:${index + 1}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (quorum === undefined && !hasQuorumLine) mistakes.push(`${file}: there is no quorum line; \`quorum none\` asks for nobody`)
  if (mistakes.length > 0 || quorum === undefined) throw new ApplianceError('CONFIG_INVALID', mistakes.join('\n'))
  return { logs, attesters: [...attesters.values()], groups: [...groups.values()], quorum }
}

function countOf(word: string, members: number): number {
  if (members === 0) throw new Error('a group has members: group <name> all|any|<count> <name>...')
  if (word === 'all') return members
  if (word === 'any') return 1
  const count = /^[1-9]\d{0,3}$/.test(word) ? Number(word) : 0
  if (count < 1 || count > members)
    throw new Error(`'${word.slice(0, 40)}' of ${members}: all, any, or a number from 1 to ${members}`)
  return count
}

/** Whether those who have attested are enough. */
export function quorumMet({ groups, quorum }: TrustPolicy, attested: ReadonlySet<string>): boolean {
  if (quorum === 'none') return true
  const met = new Set(attested)
  // A group names only what stands above it.
  for (const { name, count, members } of groups) {
    if (members.filter((member) => met.has(member)).length >= count) met.add(name)
  }
  return met.has(quorum)
}
