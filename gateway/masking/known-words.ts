/** Bytes in runs: what stands between the words that are known, and those words; without any, all of it is one run. */
export function* runsAround(
  bytes: Uint8Array,
  words: string | undefined,
): Generator<{ from: number; to: number; known: boolean }> {
  const known = Buffer.from(words ?? '')
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let from = 0
  for (let at = known.length === 0 ? -1 : source.indexOf(known); at >= 0; at = source.indexOf(known, from)) {
    if (at > from) yield { from, to: at, known: false }
    from = at + known.length
    yield { from: at, to: from, known: true }
  }
  if (from < bytes.length) yield { from, to: bytes.length, known: false }
}

/** Text, with everything but the words that are known as `change` makes it. */
export function changedAround(text: string, words: string | undefined, change: (text: string) => string): string {
  return words === undefined ? change(text) : text.split(words).map(change).join(words)
}
