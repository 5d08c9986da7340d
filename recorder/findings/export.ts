import { type Detector, type Draft, number } from './detector.ts'
import { Places, perSession, type StatementRow, statements } from './statements.ts'

// PostgreSQL's regular expressions (9.7.3), over statements as they were given.
const EXPORTS_SQL = String.raw`\mcopy\M.+\mto\M|\mlo_export\M|\mdblink|\mpg_read_(binary_)?file\M|\mfetch\s+(forward\s+)?(all|\d{4,})\M|\mlock\s+table\M.+access\s+share`
const EXPORTS_SHELL = String.raw`\m(pg_dump|pg_dumpall|mysqldump|mongodump|rsync|scp)\M|\mtar\s+[^|;&]*c|\mkubectl\s+cp\M|\mzip\s+-r`
const SECRETS = String.raw`\.pem\M|\mid_(rsa|ed25519|ecdsa)\M|\.env\M|\mkubeconfig\M|\.kube/config|/etc/shadow\M|\.aws/credentials|\.ssh/|\.pgpass\M|\.netrc\M`
const SECRET_ROUTES = String.raw`/secrets(/|\?|$)|^\S+ /v1/(secret|kv)/|/api/v1/(namespaces/[^/]+/)?secrets`
const PACKS_SQL = String.raw`\mencode\s*\(|\m(string|array|json|jsonb|xml)_?agg\s*\(|\mrow_to_json\s*\(|\mquery_to_xml|\mcompress`
const PACKS_SHELL = String.raw`\m(base64|base32|xxd|gzip|bzip2|xz|zstd)\M|\mopenssl\s+(enc|base64)\M|\mgpg\M.+-c`

/** X1: commands made for taking a lot along. */
export const bulkVerbs: Detector = (queries, window, { params }) => {
  const { rows = 0, bytes = 0 } = params
  const found = statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'postgres' and r.text ~* $3 and (r.rows >= $5 or r.bytes_out >= $6)) or (s.protocol = 'ssh' and r.text ~* $4))`,
    [EXPORTS_SQL, EXPORTS_SHELL, rows, bytes],
  )
  return together(found, (all) => ({
    value: all.count,
    threshold: 1,
    unit: 'commands',
    summary: `${all.count} command${all.count === 1 ? '' : 's'} that export: ${number(all.rows)} rows, ${number(all.bytes)} bytes`,
  }))
}

/** X2: files and routes that hold secrets. */
export const secretReads: Detector = async (queries, window, { params }) => {
  const { reads = 0 } = params
  const found = statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'ssh' and r.text ~* $3) or (s.protocol = 'http' and r.text ~* $4))`,
    [SECRETS, SECRET_ROUTES],
  )
  const drafts = await together(found, ({ count }) => ({
    value: count,
    threshold: 1,
    unit: 'reads',
    summary: `${count} read${count === 1 ? '' : 's'} of what holds secrets`,
  }))
  return drafts.filter(({ value }) => value >= reads)
}

/** X4: many rows in one, or bytes in another coat. */
export const packing: Detector = (queries, window, { params }) => {
  const { bytes = 0 } = params
  const found = statements(
    queries,
    window,
    `r.outcome <> 'refused' and r.bytes_out >= $5 and ((s.protocol = 'postgres' and r.text ~* $3) or (s.protocol = 'ssh' and r.text ~* $4))`,
    [PACKS_SQL, PACKS_SHELL, bytes],
  )
  return together(found, (all) => ({
    value: all.bytes,
    threshold: bytes,
    unit: 'bytes',
    summary: `${number(all.bytes)} bytes in ${all.count} answer${all.count === 1 ? '' : 's'} that were encoded or packed`,
  }))
}

/** What one session did is one finding. */
function together(
  found: AsyncIterable<StatementRow>,
  said: (all: Places) => Pick<Draft, 'value' | 'threshold' | 'unit' | 'summary'>,
): Promise<readonly Draft[]> {
  return perSession(found, () => '', {
    begin: ({ objects }) => ({ object: objects[0] ?? null, all: new Places() }),
    add: ({ all }, row) => all.add(row),
    end: ({ object, all }) => [all.draft({ ...said(all), object })],
  })
}
