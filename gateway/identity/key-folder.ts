import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { createFile, isErrno, makeFolder } from '../../recorder/desk/exclusive-file.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type AccessKey, hashAccessKey, newAccessKey } from './access-key.ts'

const ID_PATTERN = /^k-[0-9a-f]{12}$/
/** A change in the same tick of the file system's clock as the last look leaves no trace in the folder's time. */
const CLOCK_GRAIN_MS = 2_000

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
 * The access keys made by `sallyport keys`: `<id>.json` for each, `<id>.revoked` beside it once it is revoked. Files are only
 * ever added, so that any number of processes may read and write at once; a running gateway sees changes at the next knock.
 */
export class KeyFolder {
  readonly #folder: string
  #cache: { readonly keys: readonly AccessKey[]; readonly changedMs: number; readonly readMs: number } | undefined

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open(folder: string): Promise<KeyFolder> {
    await makeFolder(folder)
    return new KeyFolder(folder)
  }

  /** Makes a key; `secret` exists only in this answer. Durable when it resolves. */
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
    if (!(await createFile(join(this.#folder, `${key.id}.json`), JSON.stringify(key))))
      return this.create(subject, expiresAt, more)
    return { key, secret }
  }

  /** Rejects CONFIG_INVALID for an id nobody made. Revoking twice is no mistake: the first time stands. */
  async revoke(id: string): Promise<void> {
    const keys = await this.list()
    if (!keys.some((key) => key.id === id))
      throw new ApplianceError('CONFIG_INVALID', `there is no access key ${JSON.stringify(id.slice(0, 40))}`)
    await createFile(join(this.#folder, `${id}.revoked`), new Date().toISOString())
  }

  /** Every key ever made, revoked and expired ones too. */
  async list(): Promise<readonly AccessKey[]> {
    // At once, for every HTTP request: two microseconds, where a trip through the thread pool took a tenth of all the time.
    const changedMs = statSync(this.#folder).mtimeMs
    const cached = this.#cache
    if (cached !== undefined && cached.changedMs === changedMs && cached.readMs - changedMs > CLOCK_GRAIN_MS) return cached.keys
    const readMs = Date.now()
    const keys = await this.#read()
    this.#cache = { keys, changedMs, readMs }
    return keys
  }

  async #read(): Promise<readonly AccessKey[]> {
    const names = await readdir(this.#folder)
    const keys: AccessKey[] = []
    for (const name of names.filter((each) => each.endsWith('.json') && !each.startsWith('.')).sort()) {
      const text = await readFile(join(this.#folder, name), 'utf8')
      const key = parsed(text)
      if (!checker.Check(key))
        throw new ApplianceError('CONFIG_INVALID', `the access key file ${name} is damaged; remove it and make a new key`)
      keys.push(names.includes(`${key.id}.revoked`) ? { ...key, revokedAt: await this.#revokedAt(key.id) } : key)
    }
    return keys
  }

  async #revokedAt(id: string): Promise<string> {
    try {
      return await readFile(join(this.#folder, `${id}.revoked`), 'utf8')
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return new Date(0).toISOString()
      throw error
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
