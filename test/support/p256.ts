import { randomBytes } from 'node:crypto'

// ECDSA over a digest somebody else has made (FIPS 186-5, section 6.4.1), which node:crypto does not offer. For a stand-in of a vault only:
// neither quick nor constant in time.

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
type Point = readonly [bigint, bigint] | undefined
const G: Point = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
]

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by

/** By Fermat: both moduli are primes. */
function inverse(value: bigint, by: bigint): bigint {
  let [result, base] = [1n, mod(value, by)]
  for (let exponent = by - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % by
    base = (base * base) % by
  }
  return result
}

function add(a: Point, b: Point): Point {
  if (a === undefined) return b
  if (b === undefined) return a
  if (a[0] === b[0] && mod(a[1] + b[1], P) === 0n) return undefined
  const slope = a[0] === b[0] ? (3n * a[0] * a[0] - 3n) * inverse(2n * a[1], P) : (b[1] - a[1]) * inverse(b[0] - a[0], P)
  const x = mod(slope * slope - a[0] - b[0], P)
  return [x, mod(slope * (a[0] - x) - a[1], P)]
}

function times(scalar: bigint, point: Point): Point {
  let [sum, power]: [Point, Point] = [undefined, point]
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = add(sum, power)
    power = add(power, power)
  }
  return sum
}

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const octets = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

/** r || s. `d`: the private scalar, 32 bytes. */
export function signDigest(d: Uint8Array, digest: Uint8Array): Buffer {
  for (;;) {
    const k = mod(number(randomBytes(40)), N - 1n) + 1n
    const r = mod(times(k, G)?.[0] ?? 0n, N)
    const s = mod(inverse(k, N) * (number(digest) + r * number(d)), N)
    if (r !== 0n && s !== 0n) return Buffer.concat([octets(r), octets(s)])
  }
}
