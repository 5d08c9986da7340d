import { createHash } from 'node:crypto'
import type { Figure } from '../../schemas/bundle.ts'
import { FRAMEWORK_NAMES, type PageFacts } from './bundle-facts.ts'
import { CONTROLS } from './frameworks.ts'

// OSCAL assessment results (https://pages.nist.gov/OSCAL/, JSON). Observations and where their evidence is; never a finding, which would have to say
// `satisfied` or not: that is for whoever assesses.

const OSCAL_VERSION = '1.1.3'

/** The same bundle makes the same document: its identifiers are made of the watermark's root and what they name. */
export function oscalResults(facts: PageFacts): string {
  const { framework, period, watermark, figures, tool } = facts
  const id = (name: string): string => uuidOf(`${watermark.root} ${period.from} ${period.to} ${framework} ${name}`)
  const byId = new Map(figures.map((figure) => [figure.id, figure]))
  const system = id('gateway')
  const observations = CONTROLS[framework].map(({ criterion, question, figures: ids, files }) => {
    const told = ids.flatMap((one) => byId.get(one) ?? [])
    return {
      uuid: id(`observation ${criterion}`),
      title: `${FRAMEWORK_NAMES[framework]} ${criterion}`,
      description: question,
      props: [prop('criterion', criterion), ...told.map((figure) => prop(figure.id, String(figure.value), figure.title))],
      methods: ['EXAMINE'],
      types: ['control-objective'],
      subjects: [{ 'subject-uuid': system, type: 'component' }],
      'relevant-evidence': [...new Set([...files, ...told.map(({ file }) => file)])].map((file) => ({
        href: `../${file}`,
        description:
          told
            .filter((figure) => figure.file === file)
            .map(countedAs)
            .join('; ') || 'what this is counted from',
      })),
      collected: period.to,
    }
  })
  const document = {
    'assessment-results': {
      uuid: id('results'),
      metadata: {
        title: `Audit bundle: ${FRAMEWORK_NAMES[framework]}, ${period.from} to ${period.to}`,
        'last-modified': period.to,
        version: `${watermark.origin} ${watermark.size}`,
        'oscal-version': OSCAL_VERSION,
        remarks:
          'Derived from the bundle it is in, whose manifest is signed. It says where evidence is, never that a control is satisfied.',
      },
      // There is no plan in this form: the page says what was asked of the period, and how.
      'import-ap': { href: '../index.html' },
      results: [
        {
          uuid: id('result'),
          title: 'Sessions, decisions and custody of the period',
          description: `Everything as of entry ${watermark.size} of the log ${watermark.origin}, root ${watermark.root}.`,
          start: period.from,
          end: period.to,
          'local-definitions': {
            components: [
              {
                uuid: system,
                type: 'software',
                title: 'Sallyport',
                description: 'The gateway whose recordings and log these are.',
                props: [prop('version', tool)],
                status: { state: 'operational' },
              },
            ],
          },
          'reviewed-controls': {
            'control-selections': [
              {
                description: 'The criteria this bundle has figures for; no catalog of them is published in OSCAL.',
                'include-controls': CONTROLS[framework].map(({ criterion }) => ({ 'control-id': token(criterion) })),
              },
            ],
          },
          observations,
        },
      ],
    },
  }
  return `${JSON.stringify(document, null, 1)}\n`
}

function countedAs({ title, value, where, sum }: Figure): string {
  const rows = Object.entries(where).map(([column, text]) => `${column}=${text}`)
  const of = rows.length === 0 ? 'all rows' : `rows with ${rows.join(' and ')}`
  return `${title}: ${value} (${sum === undefined ? '' : `sum of ${sum}, `}${of})`
}

/** Values are one line without space at either end. */
function prop(name: string, value: string, title?: string): Readonly<Record<string, string>> {
  const ns = 'https://sallyport.example/ns/oscal'
  return {
    name: token(name),
    ns,
    value: value.replaceAll(/\s+/g, ' ').trim() || '-',
    ...(title === undefined ? {} : { remarks: title }),
  }
}

/** A name that begins with a letter, as XML has it. */
function token(text: string): string {
  const plain = text.replaceAll(/[^A-Za-z0-9._-]/g, '-')
  return /^[A-Za-z_]/.test(plain) ? plain : `c-${plain}`
}

/** RFC 9562, version 5, by SHA-1 of a namespace of our own and the name. */
function uuidOf(name: string): string {
  const hash = createHash('sha1').update('sallyport audit bundle\n').update(name).digest().subarray(0, 16)
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
