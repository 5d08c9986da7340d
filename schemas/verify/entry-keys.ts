import { hexOf, joinBytes } from '../bytes.ts'
import { SIGNED } from '../tape.ts'
import type { SignedEntry } from './ledger-line.ts'
import type { GatewayKey, VerifyTools } from './tools.ts'

/** `unknown`: by a key that is not trusted. `bad`: not what its writer has signed. */
export type EntryState = 'good' | 'unknown' | 'bad'

const SIGNED_ENTRY = new TextEncoder().encode(SIGNED.entry)

/** Whose entries of a ledger are believed. A process of a gateway (`gw1-3`, `gw1-console`) is vouched for by its own key or by that of the gateway. */
export class EntryKeys {
  readonly #tools: Pick<VerifyTools, 'sha256' | 'verifyKey'>
  readonly #keys: readonly (GatewayKey & { readonly keyId: string; readonly algorithm: string })[]

  constructor(tools: Pick<VerifyTools, 'sha256' | 'verifyKey'>, keys: readonly GatewayKey[]) {
    this.#tools = tools
    this.#keys = keys.map((key) => ({
      ...key,
      keyId: hexOf(tools.sha256(key.publicKey)).slice(0, 16),
      // SubjectPublicKeyInfo of Ed25519 has 44 bytes (RFC 8410), that of P-256 91 (RFC 5480).
      algorithm: key.publicKey.length === 44 ? 'Ed25519' : 'ES256',
    }))
  }

  async check({ statement, statementBytes, keyId, signature }: SignedEntry): Promise<EntryState> {
    const { gateway } = statement
    const key = this.#keys.find(
      (one) => one.keyId === keyId && (one.gateway === gateway || gateway.startsWith(`${one.gateway}-`)),
    )
    if (key === undefined) return 'unknown'
    const bytes = joinBytes(SIGNED_ENTRY, statementBytes)
    return (await this.#tools.verifyKey(key.publicKey, key.algorithm, bytes, signature)) ? 'good' : 'bad'
  }
}
