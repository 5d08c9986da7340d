import { BUNDLE_PATHS } from '../../schemas/bundle.ts'
import { csvRecord } from '../../schemas/csv.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { FRAMEWORK_NAMES, type PageFacts } from './bundle-facts.ts'
import { certification } from './certification.ts'
import { CONTROLS } from './frameworks.ts'
import { oscalResults } from './oscal.ts'

/** Gaps listed on the page; gaps.csv has all. */
const MAX_GAPS_SHOWN = 200

export function writePages(facts: PageFacts): ReadonlyMap<string, string> {
  return new Map([
    ['README.txt', readme(facts)],
    ['controls/matrix.csv', matrix(facts)],
    ['custody/certification.txt', certification(facts)],
    ['controls/oscal-assessment-results.json', oscalResults(facts)],
    ['index.html', page(facts)],
  ])
}

function readme({ framework, period, watermark, small }: PageFacts): string {
  return `Audit bundle, ${FRAMEWORK_NAMES[framework]}, ${period.from} to ${period.to}
Everything in it was cut at entry ${watermark.size} of the log ${watermark.origin}.

Open index.html in a browser. No server, no account, no network is needed.

Verify it, by either of two implementations, with a gateway.pub that did not come with this bundle:
  node verify/sallyport-verify.mjs --trust gateway.pub .
  python3 verify/verify-python --trust gateway.pub .
  (or the .zip itself in place of the dot)

Replay what was sampled: open player/player.html and choose this folder, or the .zip.

Draw the sample again: HMAC-SHA256 of each session's id, the seed of sample/selection.json being the key; the first of the sorted ones are the sample.
  tail -n +2 populations/sessions.csv | cut -d, -f1 | while read id; do printf '%s %s\\n' "$(printf %s "$id" | openssl dgst -sha256 -hmac "$SEED" -r | cut -d' ' -f1)" "$id"; done | sort | head -25

manifest.json           what is in here, with every file's SHA-256; signatures/ signs it
ipe/                    is the population whole? counted four ways, and what is missing, by name
populations/            every session, decision, approval, access, policy, finding of the period (CSV)
controls/matrix.csv     which figures speak to which criterion; it never says that one is met
controls/oscal-assessment-results.json  the same as OSCAL: observations and their evidence
cover.pdf               all this on paper, short
policies/               the policies in force, each under its hash, by which sessions and log name it
custody/                who looked at recordings, exported, held or deleted them; a certification to fill in (FRE 902(13), (14))
reviews/                who used what, for a review of access to be written into
sample/                 what was drawn, by a seed that draws it again, with proofs from the log
tapes/                  the recordings of the sample, as they stand in the store
log/                    the log's lines from the period to the watermark, and its signed checkpoint
player/, verify/        to replay and to verify, offline

Texts that a spreadsheet would take for a formula have an apostrophe in front.
${small === undefined || small.leftOut.length === 0 ? '' : `\nA small pack: recordings of ${small.leftOut.length} sessions of the sample were left out, which manifest.json names. The whole bundle has them.\n`}`
}

function matrix({ framework, figures }: PageFacts): string {
  const byId = new Map(figures.map((figure) => [figure.id, figure]))
  const rows = CONTROLS[framework].flatMap(({ criterion, question, figures: ids, files }) =>
    ids.map((id) => {
      const { title, value, file, where, sum } = byId.get(id) ?? { title: id, value: 0, file: '', where: {}, sum: undefined }
      const how = Object.entries(where).map(([column, text]) => `${column}=${text}`)
      return csvRecord([criterion, question, id, title, value, file, how.join(' and '), sum ?? 'count', files.join(' ')])
    }),
  )
  return csvRecord(['criterion', 'question', 'figure', 'title', 'value', 'file', 'where', 'sum_of', 'evidence']) + rows.join('')
}

function page(facts: PageFacts): string {
  const { framework, period, scope, watermark, figures, sampled, gaps, verified, sample, completeness, small } = facts
  const leftOut = new Set(small?.leftOut)
  const byId = new Map(figures.map((figure) => [figure.id, figure]))
  const scoped = [
    ...(scope.target.length === 0 ? [] : [`targets ${scope.target.join(', ')}`]),
    ...(scope.identity.length === 0 ? [] : [`identities ${scope.identity.join(', ')}`]),
  ]
  const open = gaps.filter(
    ([, state]) => state === 'missing' || state === 'damaged' || state === 'live' || state === 'unledgered',
  )
  const counters = completeness['counters'] as Readonly<Record<string, { what: string; sessions: number } | null>> // by createBundle
  const controls = CONTROLS[framework].map(
    ({ criterion, question, figures: ids, files }) =>
      `<tr><th scope="row">${escaped(criterion)}</th><td>${escaped(question)}</td><td>${ids
        .map((id) => byId.get(id))
        .map((figure) => (figure === undefined ? '' : `<div>${escaped(figure.title)}: <b>${figure.value}</b></div>`))
        .join('')}</td><td>${files.map(link).join('<br>')}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Audit bundle: ${FRAMEWORK_NAMES[framework]}</title>
<style>
body { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { border-bottom: 1px solid #8884; padding: 0.35rem 0.75rem 0.35rem 0; text-align: left; vertical-align: top; }
td.n { font-variant-numeric: tabular-nums; text-align: right; } code { overflow-wrap: anywhere; } .quiet { opacity: 0.75; } .gap { border-left: 0.3rem solid #c60; padding-left: 0.75rem; }
@media print { body { margin: 0; max-width: none; } a { color: inherit; text-decoration: none; } }
</style>
</head>
<body>
<h1>Audit bundle: ${FRAMEWORK_NAMES[framework]}</h1>
<p class="quiet">Sessions opened from ${period.from} to before ${period.to} (UTC)${scoped.length === 0 ? '' : `; ${escaped(scoped.join('; '))}`}.
Cut at entry ${watermark.size} of the log <code>${escaped(watermark.origin)}</code>, root <code>${watermark.root}</code>.</p>
<p>Start with ${link('README.txt')} or, on paper, ${link('cover.pdf')}: how to verify this, with what. <a href="player/player.html">Replay the sample</a> in this browser, offline.</p>
<h2>Is the population whole?</h2>
<table><tr><th>Counter</th><th>Counts</th><th>Sessions</th></tr>
${Object.entries(counters)
  .map(([name, counter]) =>
    counter === null
      ? `<tr><th scope="row">${escaped(name)}</th><td class="quiet">not asked</td><td class="n">-</td></tr>`
      : `<tr><th scope="row">${escaped(name)}</th><td>${escaped(counter.what)}</td><td class="n">${counter.sessions}</td></tr>`,
  )
  .join('\n')}
</table>
<div class="${open.length === 0 ? '' : 'gap'}"><p>${
    open.length === 0
      ? 'No recording of the population is missing, damaged or unfinished.'
      : `${open.length} ${open.length === 1 ? 'recording is' : 'recordings are'} missing, damaged, unfinished or unknown to the log:`
  } ${gaps.length === 0 ? '' : `All that is not whole is in ${link('ipe/gaps.csv')}.`}</p>
${
  open.length === 0
    ? ''
    : `<table>${open
        .slice(0, MAX_GAPS_SHOWN)
        .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`)
        .join('\n')}</table>`
}</div>
<p class="quiet">${
    verified === 'all'
      ? 'Every recording of the population was verified byte by byte when this was made.'
      : 'Only the recordings of the sample were verified byte by byte when this was made; of the others seal and header were compared with the log.'
  }</p>
<h2>Controls</h2>
<p class="quiet">Where the evidence is. Whether a criterion is met is for whoever audits to say. How each figure is counted: ${link('controls/matrix.csv')}.</p>
<table><tr><th>Criterion</th><th>Question</th><th>Figures</th><th>Evidence</th></tr>
${controls.join('\n')}
</table>
<h2>Sample</h2>
<p>${sampled.length} of ${byId.get('sessions')?.value ?? 0} sessions, drawn with seed <code>${escaped(sample.seed)}</code>; ${link(BUNDLE_PATHS.sample)} says how to draw it again.</p>
<ul>
${sampled
  .map((id) => {
    const state = gaps.find(([session]) => session === id)?.[1]
    const isHere = (state === undefined || state === 'recovered' || state === 'damaged') && !leftOut.has(id)
    const name = isHere ? `<a href="player/player.html#session=${encodeURIComponent(id)}">${escaped(id)}</a>` : escaped(id)
    const proof = `<a href="${escaped(`sample/${id}/open.tlog-proof`)}">proof of its opening</a>`
    const told = [...(state === undefined ? [] : [state]), ...(leftOut.has(id) ? ['left out of this small pack'] : [])].join(', ')
    return `<li>${name} ${escaped(told)} <span class="quiet">${proof}</span></li>`
  })
  .join('\n')}
</ul>
<h2>What this does not prove</h2>
<ul>
<li>That the gateway recorded what happened: signatures prove that nothing was changed since it did.</li>
<li>What went past the gateway: it sees what goes through it.</li>
<li>Who was at the other end of a key: it records whose key was shown.</li>
<li>That masked values were something else: they were masked before they were recorded, and nobody has them here.</li>
<li>Anything about the log behind entry ${watermark.size}.</li>
</ul>
</body>
</html>
`
}

function link(path: string): string {
  return `<a href="${escaped(path)}">${escaped(path)}</a>`
}

function escaped(text: string): string {
  return safeText(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
