import { randomBytes } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { unreadable } from '../../recorder/desk/record-check.ts'
import type { Records } from '../../recorder/desk/records.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type AccessKey, hashAccessKey, newAccessKey } from './access-key.ts'

const ID_PATTERN = /^k-[0-9a-f]{12}$/

const StoredKey = Type.Object({
  id: Type.String({ pattern: ID_PATTERN.source }),
  subject: Type.String({ minLength: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
  scope: Type.Optional(
    Type.Object({
      targets: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
      verbs: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
    }),
  ),
  run: Type.Optional(Type.String({ minLength: 1 })),
  purpose: Type.Optional(Type.String({ minLength: 1 })),
})
const checker = Compile(StoredKey)

/**
 * The access keys made by `sallyport keys`: `<id>.json` for each, `<id>.revoked` beside it once it is revoked. Records are only
 * ever added, so that any number of processes may read and write at once; a running gateway sees changes at the next knock.
 */
export class AccessKeys {
  readonly #records: Records
  #read: { readonly texts: ReadonlyMap<string, string>; readonly keys: readonly AccessKey[] } | undefined

  constructor(records: Records) {
    this.#records = records
  }

  /** Makes a key; `secret` exists only in this answer. Durable when it resolves. Rejects CONFIG_INVALID where a text is empty. */
  async create(
    subject: string,
    expiresAt?: Date,
    more: Pick<AccessKey, 'scope' | 'run' | 'purpose'> = {},
  ): Promise<{ readonly key: AccessKey; readonly secret: string }> {
    const secret = newAccessKey()
    const key: AccessKey & { readonly createdAt: string } = {
      id: `k-${randomBytes(6).toString('hex')}`,
      subject,
      sha256: hashAccessKey(secret),
      createdAt: new Date().toISOString(),
      ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
      ...more,
    }
    // One record that nobody can read keeps out whoever has a key.
    const why = unreadable(checker, key)
    if (why !== undefined) throw new ApplianceError('CONFIG_INVALID', `no such key can be made: ${why}`)
    if (!(await this.#records.create(`${key.id}.json`, JSON.stringify(key)))) return this.create(subject, expiresAt, more)
    return { key, secret }
  }

  /** Rejects CONFIG_INVALID for an id nobody made. Revoking twice is no mistake: the first time stands. */
  async revoke(id: string): Promise<void> {
    const keys = await this.list()
    if (!keys.some((key) => key.id === id))
      throw new ApplianceError('CONFIG_INVALID', `there is no access key ${JSON.stringify(id.slice(0, 40))}`)
    await this.#records.create(`${id}.revoked`, new Date().toISOString())
  }

  /** Every key ever made, revoked and expired ones too. */
  async list(): Promise<readonly AccessKey[]> {
    const texts = await this.#records.all('')
    if (this.#read?.texts !== texts) this.#read = { texts, keys: keysIn(texts) }
    return this.#read.keys
  }
}

function keysIn(texts: ReadonlyMap<string, string>): readonly AccessKey[] {
  return [...texts].flatMap(([name, text]) => {
    if (!name.endsWith('.json')) return []
    const key = parsed(text)
    if (!checker.Check(key))
      throw new ApplianceError('CONFIG_INVALID', `the access key record ${name} is damaged; remove it and make a new key`)
    const revokedAt = texts.get(`${key.id}.revoked`)
    return [revokedAt === undefined ? key : { ...key, revokedAt }]
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
