/** Results of `work` in the order of the items, `width` of them under way at once: stores answer slowly, and order must not depend on it. */
export async function* inOrder<T, R>(items: Iterable<T>, width: number, work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const running: Promise<R>[] = []
  for (const item of items) {
    const one = work(item)
    // Whoever consumes may have gone on to fail elsewhere: its own failure is told when its turn comes.
    one.catch(() => undefined)
    running.push(one)
    const first = running.length >= width ? running.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const one of running) yield await one
}
