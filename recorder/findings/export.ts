import { before, type Detector, type Draft, number } from './detector.ts'
import { grouped, ofStatement, type StatementRow, statements } from './evidence.ts'

const MINUTE_MS = 60_000

// PostgreSQL's regular expressions (9.7.3), over statements as they were given.
const EXPORTS_SQL = String.raw`\mcopy\M.+\mto\M|\mlo_export\M|\mdblink|\mpg_read_(binary_)?file\M|\mfetch\s+(forward\s+)?(all|\d{4,})\M|\mlock\s+table\M.+access\s+share`
const EXPORTS_SHELL = String.raw`\m(pg_dump|pg_dumpall|mysqldump|mongodump|rsync|scp)\M|\mtar\s+[^|;&]*c|\mkubectl\s+cp\M|\mzip\s+-r`
const SECRETS = String.raw`\.pem\M|\mid_(rsa|ed25519|ecdsa)\M|\.env\M|\mkubeconfig\M|\.kube/config|/etc/shadow\M|\.aws/credentials|\.ssh/|\.pgpass\M|\.netrc\M`
const SECRET_ROUTES = String.raw`/secrets(/|\?|$)|^\S+ /v1/(secret|kv)/|/api/v1/(namespaces/[^/]+/)?secrets`
const SENDS_SHELL = String.raw`\mcurl\M.*(\s-T\M|--upload-file|--data|\s-d\M|\s-F\M)|\m(scp|rsync|sftp)\M.+:|\mrclone\s+(copy|sync|move)\M|\mwget\M.+--post|\m(aws\s+s3|azcopy|gsutil|az\s+storage)\M.+\m(cp|sync|copy|upload)|\mnc\M|\mgit\s+push\M`
const PACKS_SQL = String.raw`\mencode\s*\(|\m(string|array|json|jsonb|xml)_?agg\s*\(|\mrow_to_json\s*\(|\mquery_to_xml|\mcompress`
const PACKS_SHELL = String.raw`\m(base64|base32|xxd|gzip|bzip2|xz|zstd)\M|\mopenssl\s+(enc|base64)\M|\mgpg\M.+-c`

/** X1: commands made for taking a lot along. */
export const bulkVerbs: Detector = async (queries, window, { params }) => {
  const { rows = 0, bytes = 0 } = params
  const found = await statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'postgres' and r.text ~* $3 and (r.rows >= $5 or r.bytes_out >= $6)) or (s.protocol = 'ssh' and r.text ~* $4))`,
    [EXPORTS_SQL, EXPORTS_SHELL, rows, bytes],
  )
  return bySession(found, 'commands', (own) => {
    const sum = own.reduce((all, row) => all + row.rows, 0)
    return `${own.length} command${own.length === 1 ? '' : 's'} that export: ${number(sum)} rows, ${number(bytesOf(own))} bytes`
  })
}

/** X2: files and routes that hold secrets. */
export const secretReads: Detector = async (queries, window, { params }) => {
  const { reads = 0 } = params
  const found = await statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'ssh' and r.text ~* $3) or (s.protocol = 'http' and r.text ~* $4))`,
    [SECRETS, SECRET_ROUTES],
  )
  return bySession(found, 'reads', (own) => `${own.length} read${own.length === 1 ? '' : 's'} of what holds secrets`).filter(
    ({ value }) => value >= reads,
  )
}

/** X3: something is sent away soon after a pull by the same people. */
export const egressAfterPull: Detector = async (queries, window, { params, earlier }) => {
  const { minutes = 0, rows = 0 } = params
  const sends = await statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'ssh' and r.text ~* $3) or (s.protocol = 'http' and r.verbs && array['PUT', 'POST', 'PATCH'] and length(r.text) > 500))`,
    [SENDS_SHELL],
  )
  if (sends.length === 0) return []
  const pulls = await statements(queries, { ...window, from: before(window.from, minutes * MINUTE_MS) }, 'r.rows >= $3', [rows])
  const stitched = [...(earlier.get('stitched-rows') ?? []), ...(earlier.get('stitched-keys') ?? [])]
  return sends.flatMap((send): Draft[] => {
    const since = send.at.getTime() - minutes * MINUTE_MS
    const isBefore = (at: number): boolean => at >= since && at <= send.at.getTime()
    const own = pulls.filter(
      (pull) => pull.family === send.family && pull.session !== send.session && isBefore(pull.at.getTime()),
    )
    const small = stitched
      .filter(({ family }) => family === send.family)
      .flatMap(({ contributions }) => contributions.filter(({ at }) => isBefore(Date.parse(at))))
    const taken = own.length > 0 ? own.map(ofStatement) : small
    if (taken.length === 0) return []
    const sum = taken.reduce((all, each) => all + each.rows, 0)
    return [
      {
        family: send.family,
        target: send.target,
        object: null,
        value: sum,
        threshold: rows,
        unit: 'rows',
        summary: `${number(sum)} rows were taken, and within ${minutes} minutes something was sent`,
        baseline: null,
        coverage: null,
        contributions: [...taken, ofStatement(send)],
      },
    ]
  })
}

/** X4: many rows in one, or bytes in another coat. */
export const packing: Detector = async (queries, window, { params }) => {
  const { bytes = 0 } = params
  const found = await statements(
    queries,
    window,
    `r.outcome <> 'refused' and r.bytes_out >= $5 and ((s.protocol = 'postgres' and r.text ~* $3) or (s.protocol = 'ssh' and r.text ~* $4))`,
    [PACKS_SQL, PACKS_SHELL, bytes],
  )
  return bySession(
    found,
    'bytes',
    (own) => `${number(bytesOf(own))} bytes in ${own.length} answer${own.length === 1 ? '' : 's'} that were encoded or packed`,
    bytesOf,
    bytes,
  )
}

function bytesOf(own: readonly StatementRow[]): number {
  return own.reduce((all, row) => all + row.bytes_out, 0)
}

function bySession(
  found: readonly StatementRow[],
  unit: string,
  summary: (own: readonly StatementRow[]) => string,
  value: (own: readonly StatementRow[]) => number = ({ length }) => length,
  threshold = 1,
): readonly Draft[] {
  return grouped(found, ({ session }) => session).map((own) => ({
    family: own[0]?.family ?? '',
    target: own[0]?.target ?? '',
    object: own[0]?.objects[0] ?? null,
    value: value(own),
    threshold,
    unit,
    summary: summary(own),
    baseline: null,
    coverage: null,
    contributions: own.map(ofStatement),
  }))
}
