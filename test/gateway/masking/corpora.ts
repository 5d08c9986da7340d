import { cardNumber, SAMPLES } from './samples.ts'

/** Fields one after the other in one buffer, as cells of rows are: field i is bytes[edges[i], edges[i + 1]). */
export interface Corpus {
  readonly name: string
  readonly bytes: Buffer
  readonly edges: Uint32Array
  readonly isHostile: boolean
  /** How many fields must be masked, the canary's included. */
  readonly expectedFields: number
}

type Fields = (row: number, random: (below: number) => number) => readonly string[]

/** The value planted once in every corpus; it must be in no output. */
const CANARY = SAMPLES.email[0]?.[0] ?? ''

export function canaryOf(_corpus: Corpus): string {
  return CANARY
}

export function corpusOf(name: string, size: number, row: Fields, isPersonal: boolean): Corpus {
  const random = randomOf(1)
  const fields: string[] = [CANARY]
  let personal = 0
  for (let total = 0, i = 0; total < size; i++) {
    const cells = row(i, random)
    fields.push(...cells)
    total += cells.reduce((sum, cell) => sum + cell.length, 0)
    personal += isPersonal ? PERSONAL_COUNT : 0
  }
  return { ...joined(name, fields), isHostile: false, expectedFields: 1 + personal }
}

export function hostileCorpus(unit: string, size: number): Corpus {
  return {
    ...joined(`hostile ${JSON.stringify(unit.slice(0, 32))}`, [unit.repeat(size / unit.length)]),
    isHostile: true,
    expectedFields: 0,
  }
}

/** What makes detectors try and fail, or try and find, as often as a byte count allows. */
export const HOSTILE_UNITS: readonly string[] = [
  'a',
  'a.',
  'a@',
  '4111-',
  '4111 1111 ',
  '123-45-',
  'GB82 WEST ',
  'eyJ',
  'eyJhbGciOiJ.',
  `eyJ${'a'.repeat(2000)} `,
  'token=',
  'password: ',
  'pwd="',
  'db_pwd="',
  'userPassWord="a bc d",',
  'api_key =',
  'pass>    ',
  'pass_',
  'aws_secret_',
  " by 'x",
  'curl -u ',
  `${'-'.repeat(5)}BEGIN RSA PRIVATE KEY${'-'.repeat(5)}`,
  'a://a:',
  'bearer ',
  'basic ',
  'AKIA',
  'sk-',
  `@a${'a.'.repeat(120)}`,
]

const NAMES = ['Smith', 'Maria Gomez', 'Chen Wei', 'Acme Corp', 'pending', 'shipped', 'Springfield', 'New Order', 'blue']
const PERSONAL_COUNT = 4

export const cleanRow: Fields = (i, random) => [
  String(100_000 + i),
  [8, 4, 4, 4, 12].map((size) => hex(size, random)).join('-'),
  `2026-0${1 + random(9)}-1${random(10)} 1${random(10)}:2${random(10)}:3${random(10)}.${String(random(1e6)).padStart(6, '0')}+00`,
  NAMES[random(NAMES.length)] ?? '',
  `${random(999)}.${10 + random(89)}`,
  NAMES[random(NAMES.length)] ?? '',
]

export const piiRow: Fields = (i, random) => [
  `user${i}@example${random(99)}.com`,
  `${100 + random(500)}-${10 + random(80)}-${1000 + random(8000)}`,
  cardNumber(`4${100_000 + random(800_000)}`, 16),
  `joe.${hex(5, random)}@mail.example.org`,
]

export const mixedRow: Fields = (i, random) => [...cleanRow(i, random).slice(0, 4), ...piiRow(i, random)]

export const logLines: Fields = (i, random) => [
  `10.0.${random(255)}.${random(255)} - - [20/Nov/2026:10:${10 + random(50)}:12 +0000] "GET /api/v1/orders/${i}?page=${random(9)} HTTP/1.1" 200 ${random(9999)} "-" "Mozilla/5.0 (X11; Linux x86_64)"`,
  `{"level":"info","ts":1763${100_000_000 + random(800_000_000)},"msg":"request done","trace":"${hex(32, random)}","token_count":${random(999)}}`,
]

function joined(name: string, fields: readonly string[]): Pick<Corpus, 'name' | 'bytes' | 'edges'> {
  const edges = new Uint32Array(fields.length + 1)
  fields.forEach((field, i) => {
    edges[i + 1] = (edges[i] ?? 0) + field.length
  })
  return { name, bytes: Buffer.from(fields.join(''), 'latin1'), edges }
}

function hex(size: number, random: (below: number) => number): string {
  return Array.from({ length: size }, () => '0123456789abcdef'[random(16)]).join('')
}

/** xorshift32: the same corpus in every run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
