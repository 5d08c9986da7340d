/** Bytes [from, to). */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/**
 * What a Range header asks of an object of this size (RFC 9110, 14.1.2 and 14.2): undefined for the whole, which is also the
 * answer to what cannot be read and to several ranges at once; `none` where it asks for nothing the object has.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'none' | undefined {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = found ?? []
  if (found === null || (first === '' && last === '')) return undefined
  if (first === '') {
    const count = Number(last)
    return count === 0 || size === 0 ? 'none' : { from: Math.max(0, size - count), to: size }
  }
  const from = Number(first)
  if (last !== '' && Number(last) < from) return undefined
  if (from >= size) return 'none'
  return { from, to: last === '' ? size : Math.min(size, Number(last) + 1) }
}
