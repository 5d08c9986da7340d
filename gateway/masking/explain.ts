import { Scanner } from './engine.ts'
import { Hits } from './hits.ts'
import { hitName } from './own.ts'
import { DEFAULT_RULES, type MaskingRules } from './rules.ts'

/** What would be masked in a text, and by which rule. */
export interface Explanation {
  readonly entity: string
  /** UTF-16 indices into the text: `text.slice(start, end)` is the value. */
  readonly start: number
  readonly end: number
  readonly rule: string
}

/** Everything the detectors find in `text`, in order. For people: `sallyport policy explain`, tests, measurements. */
export function explain(text: string, rules: MaskingRules = DEFAULT_RULES, path = ''): readonly Explanation[] {
  const source = Buffer.from(text)
  const hits = new Hits()
  const scanner = new Scanner(rules)
  scanner.path = path
  scanner.collect(source, 0, source.length, hits)
  const isAscii = source.length === text.length
  const indexOf = (byte: number): number => (isAscii ? byte : source.toString('utf8', 0, byte).length)
  return Array.from({ length: hits.count }, (_, i) => {
    const [entity, rule] = hitName(hits.entityIdOf(i), rules)
    return { entity, start: indexOf(hits.startOf(i)), end: indexOf(hits.endOf(i)), rule }
  })
}
