import type { Progress, RedactionSink } from '../message.ts'
import type { Cover, Covers } from './cover.ts'
import { HIT_ENTITIES } from './hits.ts'
import { JUDGED, type Judge, judgeOf, MAX_TEXT_SIZE } from './judge.ts'
import type { MaskingRules } from './rules.ts'
import { firstHitOf, HIT_WORDS, hitWords, isWritable, writeSuspects } from './sieve.ts'
import { type Label, NO_LABEL, ownSink, type Sink } from './sink.ts'

/** What the kernel finds by itself, and what covers it. Made with a session's first sieve, as most sessions read little. */
export class JudgedCovers {
  readonly #rules: MaskingRules
  readonly #covers: Covers
  /** By the number in JUDGED. */
  #own: readonly Cover[] = []
  #judge: Judge | undefined

  constructor(rules: MaskingRules, covers: Covers) {
    this.#rules = rules
    this.#covers = covers
  }

  judge(): Judge {
    this.#judge ??= this.#newJudge()
    return this.#judge
  }

  /** Of the last sieve, the first hit of its suspect; less than 0 where the kernel has not judged it. */
  firstHit(suspect: number): number {
    return firstHitOf(this.#judge, suspect)
  }

  /** The cells from `suspect` on, as far as the kernel can write them; undefined where it cannot. */
  write(sink: () => RedactionSink, from: number, suspect: number): Progress | undefined {
    if (!isWritable(this.#judge, suspect)) return undefined
    const own = ownSink(sink())
    const covers = this.#own
    const labels = Uint8Array.from(covers, ({ label }) => own.labelNumber(label))
    const count = own.labelCount
    if (count + covers.length >= NO_LABEL) return undefined
    const written = writeSuspects(from, suspect, own.size, labels, count)
    const added: Label[] = []
    for (const [index, { label }] of covers.entries()) {
      const number = written.labels[index] ?? NO_LABEL
      if (number >= count && number !== NO_LABEL) added[number - count] = label
    }
    own.written(written.bytes, written.spans, added)
    return { at: written.at, next: written.next }
  }

  /** Appends source[from, to) with the hits of the last sieve from `first` on covered. */
  cover(sink: Sink, source: Uint8Array, from: number, to: number, first: number): void {
    const words = hitWords
    let word = first * HIT_WORDS
    let at = from
    for (let left = (words[word + 2] as number) >>> 16; left > 0; left--) {
      const start = words[word] as number // all the words of a hit
      const end = words[word + 1] as number
      if (at < start) sink.copy(source, at, start)
      const cover = this.#own[(words[word + 2] as number) & 0xffff] as Cover // one of JUDGED
      this.#covers.writeJudged(sink, cover, source, start, end, words, word + 3)
      at = end
      word += HIT_WORDS
    }
    if (at < to) sink.copy(source, at, to)
  }

  #newJudge(): Judge {
    this.#own = JUDGED.map((entity) => this.#covers.ofEntity(HIT_ENTITIES.indexOf(entity)))
    const texts = this.#own.map(({ text }) => Buffer.from(text.text, 'latin1'))
    const isWritten = this.#own.every(({ form }) => form !== 'partial' && form !== 'length')
    return judgeOf(this.#rules, {
      keys: this.#own.map(({ keys }) => keys),
      tagged: this.#own.map(({ form }) => form === 'tag'),
      ...(isWritten && texts.every(({ length }) => length <= MAX_TEXT_SIZE) && { texts }),
    })
  }
}
