/** AES-GCM as SSH has it (RFC 5647): the length in the clear, then what is sealed, then the tag. */
export const LENGTH_SIZE = 4
export const TAG_SIZE = 16

/** The last eight bytes of a nonce count the packets. */
export function countUp(nonce: Buffer): void {
  for (let at = nonce.length - 1; at >= nonce.length - 8; at--) {
    nonce[at] = ((nonce[at] ?? 0) + 1) & 0xff
    if (nonce[at] !== 0) return
  }
}
