import PDFDocument from 'pdfkit'
import { safeText } from '../../schemas/safe-text.ts'
import { FRAMEWORK_NAMES, type PageFacts } from './bundle-facts.ts'
import { CONTROLS } from './frameworks.ts'

const MARGIN = 56
const SIZES = { title: 20, heading: 13, text: 9.5, small: 8 } as const
/** On paper; the pages and tables have all. */
const MAX_LISTED = 40

/**
 * The bundle on paper: what it is of, whether its population is whole, its figures by criterion, its sample, how to verify it. The same facts make the
 * same bytes: nothing is compressed (builds of zlib differ), and its times are the period's end.
 */
export async function coverPdf(facts: PageFacts): Promise<Uint8Array> {
  const { framework, period, watermark, figures, sampled, gaps, sample, completeness } = facts
  const name = FRAMEWORK_NAMES[framework]
  const end = new Date(period.to)
  const info = { Title: `Audit bundle: ${name}`, Producer: 'Sallyport', Creator: 'Sallyport', CreationDate: end, ModDate: end }
  const pdf = new PDFDocument({ size: 'A4', margin: MARGIN, compress: false, info, lang: 'en' })
  const pieces: Uint8Array[] = []
  const ended = new Promise<void>((resolve, reject) => {
    pdf.on('data', (piece: Uint8Array) => pieces.push(piece))
    pdf.on('end', resolve)
    pdf.on('error', reject)
  })
  const heading = (text: string): void =>
    void pdf.moveDown().font('Helvetica-Bold').fontSize(SIZES.heading).text(text).moveDown(0.3)
  const line = (text: string): void => void pdf.font('Helvetica').fontSize(SIZES.text).text(printable(text))
  const quiet = (text: string): void => void pdf.font('Helvetica').fontSize(SIZES.small).text(printable(text))

  pdf.font('Helvetica-Bold').fontSize(SIZES.title).text(`Audit bundle: ${name}`).moveDown(0.5)
  line(`Sessions opened from ${period.from} to before ${period.to} (UTC).`)
  for (const [what, names] of Object.entries(facts.scope)) if (names.length > 0) line(`Only of ${what}: ${names.join(', ')}.`)
  line(`Cut at entry ${watermark.size} of the log ${watermark.origin}, root ${watermark.root}.`)

  heading('Is the population whole?')
  const counters = completeness['counters'] as Readonly<Record<string, { what: string; sessions: number } | null>> // by countFourWays
  for (const counter of Object.values(counters)) if (counter !== null) line(`${counter.sessions}: ${counter.what}`)
  line(
    gaps.length === 0
      ? 'Every recording is whole.'
      : `${gaps.length} are not whole, or not known to the log. The first of them; ipe/gaps.csv has all:`,
  )
  for (const row of gaps.slice(0, MAX_LISTED)) quiet(row.filter((cell) => cell !== '').join(', '))

  heading('Figures by criterion')
  quiet(
    'Where the evidence is. Whether a criterion is met is for whoever audits to say. controls/matrix.csv says how each is counted.',
  )
  const byId = new Map(figures.map((figure) => [figure.id, figure]))
  for (const control of CONTROLS[framework]) {
    pdf.moveDown(0.4).font('Helvetica-Bold').fontSize(SIZES.text).text(`${control.criterion}  ${control.question}`)
    const values = control.figures.flatMap((id) => byId.get(id) ?? []).map(({ title, value }) => `${title}: ${value}`)
    quiet(`${values.join('; ')}. In ${control.files.join(', ')}`)
  }

  heading('Sample')
  line(
    `${sampled.length} sessions, drawn with the seed ${JSON.stringify(sample.seed)}; sample/selection.json says how to draw them again.`,
  )
  for (const id of sampled.slice(0, MAX_LISTED)) quiet(id)
  if (sampled.length > MAX_LISTED) quiet(`and ${sampled.length - MAX_LISTED} more`)

  heading('To verify')
  line('node verify/sallyport-verify.mjs --trust gateway.pub .   or   python3 verify/verify-python --trust gateway.pub .')
  line('With keys that did not come with the bundle. README.txt and index.html say more, and what it does not prove.')
  pdf.end()
  await ended
  return Buffer.concat(pieces)
}

/** The standard fonts have the characters of Windows-1252; of others a question mark is left. */
function printable(text: string): string {
  return safeText(text).replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '?')
}
