import { type GenerateResult, generate } from 'selfsigned'

export interface Identity {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for localhost and `addresses`, its own CA; made at run time so that no key is ever stored. */
export async function selfSigned(
  commonName = 'localhost',
  algorithm: 'sha256' | 'sha384' | 'sha512' = 'sha256',
  addresses: readonly string[] = [],
): Promise<Identity> {
  const made: GenerateResult = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm,
    notAfterDate: new Date(Date.now() + 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [{ type: 2, value: 'localhost' }, ...['127.0.0.1', ...addresses].map((ip) => ({ type: 7, ip }) as const)],
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}
