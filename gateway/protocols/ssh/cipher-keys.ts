import { createSecretKey } from 'node:crypto'

/** Where the library's ciphers keep their keys. */
const KEYS = ['_encKey', '_encKeyMain', '_encKeyPktLen', '_decipherKey', '_decKeyMain', '_decKeyPktLen', '_macKey'] as const

/**
 * The library (ssh2 1.17) begins a cipher anew with every packet, ChaCha three of them, and each time gives Node the key as bytes, which Node
 * 24 makes a key of: 50 us where one that is made already takes 6. So the keys are made when a cipher is.
 */
export function keepKeys(connection: object): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  if (typeof protocol !== 'object' || protocol === null || !('_cipher' in protocol) || !('_decipher' in protocol))
    throw new TypeError('this version of ssh2 keeps its ciphers elsewhere')
  for (const name of ['_cipher', '_decipher'] as const) {
    let cipher: unknown = protocol[name]
    Object.defineProperty(protocol, name, {
      configurable: true,
      enumerable: true,
      get: () => cipher,
      set(next: unknown) {
        cipher = next
        for (const key of KEYS) {
          const bytes: unknown = Reflect.get(Object(next), key)
          if (Buffer.isBuffer(bytes) && bytes.length > 0) Reflect.set(Object(next), key, createSecretKey(bytes))
        }
      },
    })
  }
}
