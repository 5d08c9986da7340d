import type { MaskForm } from '../../schemas/policy-masking.ts'
import type { Field } from '../message.ts'
import { AT_SIGN, STAR } from './ascii.ts'
import { ALNUM, byteAt } from './bytes.ts'
import { hashPair, type KeyPair, keyPair } from './kernel.ts'
import { hitName } from './own.ts'
import { formOf, type MaskingRules } from './rules.ts'
import { type Label, labelOf, type MaskText, maskText, type Sink } from './sink.ts'
import { domainKey, FINGERPRINT_DOMAIN } from './siphash.ts'

/** Letters and digits a `partial` mask leaves at the end; values with fewer than twice as many show none. */
const PARTIAL_KEPT_COUNT = 4

/** Where the words of the two hashes stand in what `hashPair` gives, always all four. */
const [LOW, HIGH, TAG_LOW, TAG_HIGH] = [0, 1, 2, 3]

/** One way of covering values: made once per entity and rule, used for every value. */
export interface Cover {
  readonly label: Label
  readonly form: Exclude<MaskForm, object> | 'text'
  /** `[MASKED:email:` with a tag to follow, or the whole `[MASKED:card]`, or the rule's own words. */
  readonly text: MaskText
  /** Of the fingerprint, and of the tag: that one for this session and this rule only, so that equal values under different rules have different tags. */
  readonly keys: KeyPair
}

/** Writes masks in the place of values. One per session. */
export class Covers {
  readonly #rules: MaskingRules
  readonly #tagKey: Uint8Array
  readonly #fingerprintKey: Uint8Array
  readonly #byEntity: (Cover | undefined)[] = []
  readonly #byLabel = new Map<string, Cover>()

  constructor(rules: MaskingRules, tagKey: Uint8Array, fingerprintKey: Uint8Array) {
    this.#rules = rules
    this.#tagKey = tagKey
    this.#fingerprintKey = domainKey(fingerprintKey, FINGERPRINT_DOMAIN)
  }

  /** `id`: of the hit. */
  ofEntity(id: number): Cover {
    const known = this.#byEntity[id]
    if (known !== undefined) return known
    const cover = this.#make(hitName(id, this.#rules))
    this.#byEntity[id] = cover
    return cover
  }

  ofField(field: Field): Cover {
    return this.ofLabel(labelOf(field))
  }

  ofLabel(label: Label): Cover {
    const key = `${label[0]} ${label[1]}`
    const known = this.#byLabel.get(key)
    if (known !== undefined) return known
    const cover = this.#make(label)
    this.#byLabel.set(key, cover)
    return cover
  }

  /** Appends the mask of source[from, to) to `sink`, with its span. */
  write(sink: Sink, cover: Cover, source: Uint8Array, from: number, to: number): void {
    const digests = hashPair(cover.keys, source, from, to)
    const start = sink.size
    if (cover.form === 'tag') sink.mask(cover.text, true, digests[TAG_HIGH] as number, digests[TAG_LOW] as number)
    else this.#untagged(sink, cover, source, from, to)
    sink.span(start, sink.size - start, cover.label, digests[HIGH] as number, digests[LOW] as number)
  }

  /** The same, with what the kernel left: lower and upper half of the fingerprint, and a tag's digits, from words[at] on. */
  writeJudged(sink: Sink, cover: Cover, source: Uint8Array, from: number, to: number, words: Int32Array, at: number): void {
    const start = sink.size
    if (cover.form === 'tag') sink.tagged(cover.text, words, at + 2)
    else this.#untagged(sink, cover, source, from, to)
    sink.span(start, sink.size - start, cover.label, words[at + 1] as number, words[at] as number)
  }

  #untagged(sink: Sink, cover: Cover, source: Uint8Array, from: number, to: number): void {
    switch (cover.form) {
      case 'length':
        sink.fill(STAR, to - from)
        break
      case 'partial':
        writePartial(sink, cover.label[0], source, from, to)
        break
      default:
        sink.mask(cover.text, false, 0, 0)
    }
  }

  /** Appends one `*` for every byte of source[from, to), with its span: the mask of streams and of framed bytes. */
  writeStars(sink: Sink, cover: Cover, source: Uint8Array, from: number, to: number): void {
    const digests = hashPair(cover.keys, source, from, to)
    const start = sink.size
    sink.fill(STAR, to - from)
    sink.span(start, to - from, cover.label, digests[HIGH] as number, digests[LOW] as number)
  }

  /** Leaves word in `sink` that source[from, to) became NULL. */
  nulled(sink: Sink, cover: Cover, source: Uint8Array, from: number, to: number): void {
    const digests = hashPair(cover.keys, source, from, to)
    sink.nulled(cover.label, digests[HIGH] as number, digests[LOW] as number)
  }

  #make(label: Label): Cover {
    const [entity, rule] = label
    const wanted = formOf(this.#rules, label)
    const form = typeof wanted === 'object' ? 'text' : wanted
    return {
      label,
      form,
      text: maskText(typeof wanted === 'object' ? wanted.text : form === 'tag' ? `[MASKED:${entity}:` : `[MASKED:${entity}]`),
      keys: keyPair(this.#fingerprintKey, domainKey(this.#tagKey, rule)),
    }
  }
}

/** An e-mail address keeps its domain, anything else its last four letters or digits and what separates the others. */
function writePartial(sink: Sink, entity: string, source: Uint8Array, from: number, to: number): void {
  let keepFrom = to
  if (entity === 'email') {
    while (keepFrom > from && byteAt(source, keepFrom) !== AT_SIGN) keepFrom--
  } else {
    let kept = 0
    let count = 0
    for (let i = to - 1; i >= from; i--) {
      if (ALNUM[byteAt(source, i)] !== 1) continue
      count++
      if (kept < PARTIAL_KEPT_COUNT) {
        kept++
        keepFrom = i
      }
    }
    if (count < 2 * PARTIAL_KEPT_COUNT) keepFrom = to
  }
  for (let i = from; i < keepFrom; i++) {
    const byte = byteAt(source, i)
    sink.byte(ALNUM[byte] === 1 || byte >= 0x80 || entity === 'email' ? STAR : byte)
  }
  sink.copy(source, keepFrom, to)
}
