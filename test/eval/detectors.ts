import { explain } from '../../gateway/masking/explain.ts'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { readCsv, readLines, readPacked } from './labelled-data.ts'

/** How much of a labelled value one span must cover to have found it. */
const MIN_COVERED = 0.8

/** What was found of what there is, and what was found beside it. */
export interface Score {
  readonly there: number
  readonly found: number
  readonly wrong: number
  readonly recall: number
  readonly precision: number
}

interface Span {
  readonly start: number
  readonly end: number
}

class Tally {
  there = 0
  found = 0
  wrong = 0

  get score(): Score {
    const { there, found, wrong } = this
    const share = (part: number, whole: number): number => (whole === 0 ? 1 : Math.round((1000 * part) / whole) / 1000)
    return { there, found, wrong, recall: share(found, there), precision: share(found, found + wrong) }
  }
}

class Tallies {
  readonly #all = new Map<string, Tally>()

  of(name: string): Tally {
    const known = this.#all.get(name) ?? new Tally()
    this.#all.set(name, known)
    return known
  }

  get scores(): Readonly<Record<string, Score>> {
    return Object.fromEntries([...this.#all].sort().map(([name, tally]) => [name, tally.score]))
  }
}

function overlap(a: Span, b: Span): number {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start))
}

function covers(spans: readonly Span[], value: Span): boolean {
  return spans.some((span) => overlap(span, value) >= MIN_COVERED * (value.end - value.start))
}

const PERSONAL: ReadonlySet<string> = new Set(['email', 'us-ssn', 'card', 'iban', 'phone', 'ip'])
const secretsIn = (text: string): readonly Span[] => explain(text).filter(({ entity }) => !PERSONAL.has(entity))

/** CredData's categories that are no secrets. */
const NO_SECRETS = /^(UUID|AWS S3 Bucket|Firebase Domain|Salt|Nonce|Other)$/

/**
 * Lines of source code. Half of the repositories are only ever looked at as a sum (`held`): nobody tunes to what they cannot see.
 * A line that is no secret counts against us where a span touches its marked value, unless there is a secret on it as well.
 */
async function credData(folder: string): Promise<Readonly<Record<string, Score>>> {
  const rows = readCsv(await readPacked(folder, 'creddata-lines.csv'))
  const place = ({ repo, line_start: line, text }: Readonly<Record<string, string>>): string => `${repo} ${line} ${text}`
  const secret = new Set(rows.filter(({ label }) => label === 'T').map(place))
  const tallies = new Tallies()
  for (const row of rows) {
    const { text = '', label, category = '', repo = '' } = row
    const [from, to] = [Number(row['value_start']), Number(row['value_end'])]
    const value = from < 0 ? { start: 0, end: text.length } : { start: from, end: to < 0 ? text.length : to }
    const spans = secretsIn(text)
    const held = [...repo].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2 === 1
    const counts = NO_SECRETS.test(category) ? ['all lines'] : ['all lines', 'secrets only', held ? 'held half' : 'open half']
    for (const name of counts) {
      const tally = tallies.of(name)
      if (label === 'T') {
        tally.there++
        if (from < 0 ? spans.length > 0 : covers(spans, value)) tally.found++
      } else if (!secret.has(place(row)) && spans.some((span) => overlap(span, value) > 0)) tally.wrong++
    }
  }
  return tallies.scores
}

interface Fixture {
  readonly rule?: string
  readonly plugin?: string
  readonly label: string
  readonly path?: string
  readonly text: string
}

/** What other tools' own tests say must be found, and must not. Theirs find, by definition, all of it and nothing else. */
function fixtures(rows: readonly Fixture[]): { readonly all: Score; readonly rules: Readonly<Record<string, Score>> } {
  const all = new Tally()
  const rules = new Tallies()
  for (const { rule, plugin = '', label, path = '', text } of rows) {
    if (path !== '') continue
    const found = secretsIn(text).length > 0
    for (const tally of [all, rules.of(rule ?? plugin)]) {
      if (label === 'tp') tally.there++
      if (label === 'tp' && found) tally.found++
      if (label !== 'tp' && found) tally.wrong++
    }
  }
  return { all: all.score, rules: rules.scores }
}

const PRESIDIO: Readonly<Record<string, string>> = {
  EMAIL_ADDRESS: 'email',
  US_SSN: 'us-ssn',
  CREDIT_CARD: 'card',
  IBAN_CODE: 'iban',
}

/** The patterns that docs/policy.md gives for telephones. */
const PHONE_POLICY = String.raw`
version: 1
rules: []
patterns:
  - { id: phone-number, entity: phone, regex: '\b[0-9][0-9 ()./-]{5,18}[0-9]\b', validator: phone, context: [phone, mobile, tel, fax, cell, call] }
  - { id: phone-international, entity: phone, regex: '\+[1-9][0-9][0-9 ().-]{5,16}[0-9]', validator: phone }
`
/** In the sentences, by the words around it; in its own column, by its name. */
const PHONE = 'phone, by the words before'
const PHONE_COLUMN = 'phone, by its column'

async function presidio(folder: string): Promise<Readonly<Record<string, Score>>> {
  const rows = readLines<{ text: string; spans: readonly (readonly [number, number, string])[] }>(
    await readPacked(folder, 'presidio-synth-v2.jsonl'),
  )
  const tallies = new Tallies()
  const rules = compilePolicy(PHONE_POLICY, 'phones.yaml').masking({
    subject: 'agent-7',
    kind: 'agent',
    groups: [],
    proof: 'none',
  })
  for (const { text, spans } of rows) {
    const phones = spans.filter(([, , type]) => type === 'PHONE_NUMBER')
    const found = explain(text, rules).filter(({ entity }) => entity === 'phone')
    count(
      tallies.of(PHONE),
      phones.map(([start, end]) => ({ start, end })),
      found,
    )
    for (const [start, end] of phones) {
      const value = text.slice(start, end)
      const alone = explain(value, rules, 'row.phone').filter(({ entity }) => entity === 'phone')
      count(tallies.of(PHONE_COLUMN), [{ start: 0, end: value.length }], alone)
    }
    const hits = explain(text)
    for (const [type, entity] of Object.entries(PRESIDIO)) {
      const values = spans.filter(([, , each]) => each === type).map(([start, end]) => ({ start, end }))
      const ours = hits.filter((hit) => hit.entity === entity)
      count(tallies.of(entity), values, ours)
    }
  }
  return tallies.scores
}

function count(tally: Tally, values: readonly Span[], ours: readonly Span[]): void {
  tally.there += values.length
  tally.found += values.filter((value) => covers(ours, value)).length
  tally.wrong += ours.filter((hit) => !values.some((value) => overlap(hit, value) > 0)).length
}

export interface Evaluation {
  readonly credData: Readonly<Record<string, Score>>
  readonly presidio: Readonly<Record<string, Score>>
  readonly fixtures: Readonly<Record<string, ReturnType<typeof fixtures>>>
}

/** Measures the detectors on the labelled extracts in a folder. Rejects where one of them is not there. */
export async function evaluate(folder: string): Promise<Evaluation> {
  const lines = async (name: string): Promise<readonly Fixture[]> => readLines<Fixture>(await readPacked(folder, name))
  const gitleaks = readCsv(await readPacked(folder, 'gitleaks-fixtures.csv')).map(
    ({ rule = '', label = '', path = '', text = '' }): Fixture => ({ rule, label, path, text }),
  )
  return {
    credData: await credData(folder),
    presidio: await presidio(folder),
    fixtures: {
      gitleaks: fixtures(gitleaks),
      secretlint: fixtures(await lines('secretlint-snapshots.jsonl')),
      'detect-secrets': fixtures(await lines('detect-secrets-tests.jsonl')),
    },
  }
}

export function render({ credData: lines, presidio: people, fixtures: tools }: Evaluation): string {
  const row = (name: string, { there, found, wrong, recall, precision }: Score): string =>
    `${name.padEnd(28)} ${String(found).padStart(5)} of ${String(there).padStart(5)}  ${String(wrong).padStart(4)} wrong  recall ${recall.toFixed(3)}  precision ${precision.toFixed(3)}`
  return [
    ...Object.entries(lines).map(([name, score]) => row(`CredData, ${name}`, score)),
    ...Object.entries(people).map(([name, score]) => row(`presidio, ${name}`, score)),
    ...Object.entries(tools).map(([name, { all }]) => row(`${name}'s tests`, all)),
  ].join('\n')
}
