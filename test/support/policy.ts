import type { Message } from '../../gateway/message.ts'
import { compilePolicy, type Policy } from '../../gateway/policy/policy.ts'
import { sqlFacts } from '../../gateway/policy/sql/facts.ts'
import { TrialMessage } from '../../gateway/policy/trial.ts'
import type { Facts } from '../../schemas/frame.ts'
import type { Identity, Target } from '../../schemas/session.ts'

export const agent: Identity = { subject: 'agent-7', kind: 'agent', groups: ['agents'], proof: 'test' }
export const human: Identity = { subject: 'ada@example.com', kind: 'human', groups: ['analysts'], proof: 'test' }
export const production: Target = {
  name: 'shop',
  protocol: 'postgres',
  host: 'localhost',
  port: 5432,
  labels: { env: 'production' },
}
export const echo: Target = { ...production, name: 'echo', protocol: 'echo' }

/** A policy of these rules, as YAML below `rules:`; `before` stands above it. */
export function policyOf(rules: string, before = ''): Policy {
  return compilePolicy(`version: 1\n${before}\nrules:\n${rules}`, 'policy.yaml')
}

/** A statement as the wire hands it over. */
export function asking(sql: string, statement = 1, kind = 'query', more: Facts = {}): Message {
  return new TrialMessage('client', kind, Buffer.from(sql), 0, { ...sqlFacts(sql), statement, ...more })
}

/** A run of rows, of the sizes given. */
export function rows(sizes: readonly number[], statement = 1): Message {
  return new Rows(sizes, statement)
}

export function someRows(count: number, statement = 1): Message {
  return rows(
    Array.from({ length: count }, () => 10),
    statement,
  )
}

class Rows extends TrialMessage {
  readonly #sizes: readonly number[]
  readonly #statement: number

  constructor(sizes: readonly number[], statement: number) {
    super('server', 'reply', new Uint8Array(sizes.reduce((sum, size) => sum + size, 0)), sizes.length, { statement })
    this.#sizes = sizes
    this.#statement = statement
  }

  split(units: number): readonly [Message | undefined, Message | undefined] {
    const part = (sizes: readonly number[]): Message | undefined =>
      sizes.length === 0 ? undefined : new Rows(sizes, this.#statement)
    return [part(this.#sizes.slice(0, units)), part(this.#sizes.slice(units))]
  }
}
