import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ERROR_CODES } from '../schemas/errors.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const ROOMS = ['schemas', 'recorder', 'gateway', 'replay-ui']

/** Longer than this is a connection object that became the whole protocol. */
const MAX_LINES = 400

/**
 * Source files, or folders of them (ending in a slash), without a test of their own, each with what exercises them instead.
 * Files of types alone need no line here.
 */
const TESTED_ELSEWHERE: Readonly<Record<string, string>> = {
  'replay-ui/': 'end-to-end/console.test.ts drives every page in a real Chromium, against a real gateway',
  'gateway/protocols/postgres/column-judge.ts': 'end-to-end/postgres-masking and -evasions read through it, by a real catalog',
  'gateway/protocols/postgres/sql-thread.ts': 'sql-threads.test.ts reads texts in it',
  'gateway/protocols/ssh/': 'end-to-end/ssh-* drive all of it with unmodified clients against a real sshd',
  'gateway/protocols/postgres/index.ts': 'every test in end-to-end/postgres-* goes through it',
  'gateway/policy/packs/': 'packs/index.test.ts uses each; the sample policy’s own tests go through every rule',
  'gateway/policy/condition-facts.ts': 'condition.test.ts asks for every kind of fact',
  'schemas/approval.ts': 'desk-folder.test.ts checks every stored request and event against it',
  'schemas/errors.ts': 'a list and an error class; this file compares the list with docs/errors.md',
  'schemas/session.ts': 'lists of names, used by the configuration schema and its tests',
  'schemas/bundle.ts': 'recorder/bundle/bundle.test.ts makes, reads and falsifies bundles',
  'schemas/figures.ts': 'as bundle.ts: every figure is counted twice',
  'recorder/bundle/': 'bundle.test.ts goes through all of it; zip-writer.test.ts for the archive',
  'gateway/bundle-folder.ts': 'end-to-end/console-bundles.test.ts: made, downloaded, refused',
  'gateway/bundle-thread.ts': 'as bundle-folder.ts, in its thread',
  'recorder/side-work.ts': 'side-thread.test.ts has its work done in it',
  'recorder/api/routes-bundles.ts': 'notes.test.ts and end-to-end/console-bundles.test.ts',
  'gateway/exports/': 'cli/export.test.ts: asciinema, Python and JSON read what they write',
  'gateway/bundle-files.ts': 'player-page.test.ts opens what it finds; cli/bundle.test.ts packs it',
  'gateway/cli/trust-keys.ts': 'cli/verify.test.ts and cli/bundle.test.ts: keys named, missing and of the configuration',
  'schemas/excerpt.ts': 'recorder/tape/excerpt.test.ts writes, reads and damages excerpts',
  'schemas/gzip.ts': 'web-tools.test.ts: what page and command take for gzip',
  'schemas/bytes.ts': 'every reader test goes through it',
  'schemas/msgpack.ts': 'frame-encoder.test.ts: against another implementation, and hostile bytes',
  'schemas/tape.ts': 'attacks.test.ts, session-recorder.test.ts and the golden tape read every structure of it',
  'schemas/tape-chunk.ts': 'as tape.ts',
  'schemas/tape-frame.ts': 'as tape.ts',
  'schemas/tape-members.ts': 'as tape.ts',
  'schemas/tape-statement.ts': 'as tape.ts',
  'schemas/verify/': 'attacks.test.ts flips every byte and cuts at every byte; recover.test.ts does so with recoveries',
  'schemas/api.ts': 'the tests of recorder/api/ ask by it; write-json.test.ts compares the document made of it',
  'schemas/openapi.ts': 'write-json.test.ts',
  'recorder/catalog/': 'catalog.test.ts, in its own thread, which loads the rest of the folder',
  'gateway/cli/console.ts': 'console.test.ts',
  'gateway/cli/trust-policy.ts': 'attesters.test.ts verifies by one',
  'gateway/cli/identities.ts': 'identity/proof-watch.test.ts blocks and unblocks by it while sessions run',
  'gateway/identity/sign-in-ways.ts': 'console.test.ts opens a console with both',
  'gateway/config-check-identity.ts': 'config-check.test.ts: issuers of any tenant, without an address, without files',
  'gateway/identity/people.ts': 'console.test.ts: by link, by key, revoked',
  'gateway/protocols/describers.ts': 'catalog.test.ts and the tests of the API read tapes through it',
  'recorder/retention/plan.ts': 'gateway/cli/retention-plan.test.ts: due, held, kept by the longer of two rules',
  'recorder/files.ts': 'store-file.test.ts and journal.test.ts write through it',
  'recorder/ledger/ledger-reader.ts': 'gateway/cli/ledger.test.ts: lists, shows and proves through it',
  'recorder/process-mark.ts': 'store-file.test.ts and recorder-kill.test.ts: dead and living owners of locks',
  'recorder/ledger/attest.ts': 'trust.test.ts: witnesses, authorities and anchors that answer, refuse and are away',
  'recorder/ledger/witness-server.ts': 'witness.test.ts asks over HTTP',
  'recorder/store/file-lock.ts': 'store-file.test.ts: several processes at once, and a dead one’s lock',
  'recorder/store/store-blob-rights.ts': 'check-store.test.ts of the doctor, before a fake of the access control',
  'recorder/store/store.ts': 'contract.ts: which keys a store takes',
  'recorder/ledger/presence.ts': 'orphan-watch.test.ts: who speaks, stops and falls silent',
  'recorder/tape/backlog.ts': 'session-recorder.test.ts: no more than the budget is released',
  'recorder/tape/chunk.ts': 'attacks.test.ts: its chunks, and forged ones beside them, are verified',
  'recorder/tape/fence.ts': 'recover-orphans.test.ts: a recorder that lives after all',
  'recorder/tape/lease.ts': 'recover-orphans.test.ts: a gateway that was not heard of',
  'recorder/tape/keys.ts': 'attacks.test.ts: signatures right, wrong and by other keys',
  'recorder/tape/limits.ts': 'constants; every test of a limit makes one smaller',
  'recorder/tape/msgpack.ts': 'frame-encoder.test.ts reads what it packs',
  'recorder/tape/reader.ts': 'session-recorder.test.ts and verify.test.ts read every tape they make',
  'recorder/tape/record.ts': 'attacks.test.ts: every byte of every record',
  'recorder/tape/session-beginning.ts': 'session-recorder.test.ts begins every tape with it, verify.test.ts reads what it states',
  'recorder/tape/room.ts': 'session-recorder.test.ts opens, fills and closes it; recorder-kill.test.ts kills it',
  'recorder/tape/seal.ts': 'attacks.test.ts and recover.test.ts: seals of tapes and of recoveries',
  'recorder/tape/segment.ts': 'session-recorder.test.ts: tapes of many segments',
  'recorder/tape/signer-file.ts': 'every recorder test signs with it; verify-path.test.ts finds its keys',
  'recorder/tape/signer.ts': 'attacks.test.ts: certificates by keys trusted, unknown and wrong',
  'recorder/tape/split.ts': 'session-recorder.test.ts: bodies of several frames and their spans',
  'recorder/tape/spool-file.ts': 'spool.test.ts',
  'recorder/tape/spool-folder.ts': 'recorder-kill.test.ts: spools of the dead and of the living',
  'recorder/tape/spool-reader.ts': 'spool.test.ts: a spool cut at every byte',
  'recorder/tape/spool-record.ts': 'spool.test.ts: a spool cut at every byte',
  'recorder/tape/tape-folder.ts': 'verify-path.test.ts: copies of tapes under other names, whole and damaged',
  'recorder/tape/tape-density.ts': 'recover.test.ts: verifiers compare the index that a recovery puts beside a tape',
  'recorder/tape/tape-end.ts': 'recover.test.ts: a tape that stopped at any byte',
  'recorder/tape/tools.ts': 'every test of verification runs on it',
  'schemas/verification.ts': 'verify.test.ts and attacks.test.ts compare verdicts and exit codes',
  'gateway/demo/demo-summary.ts': 'demo.test.ts compares what it says with what the session did',
  'gateway/demo/sample-session.ts': 'demo.test.ts drives it through the real gateway',
  'gateway/demo/sample-visit.ts': 'as sample-session.ts',
  'gateway/demo/sample-pulls.ts': 'demo-walk.test.ts drives it, and finds who it was',
  'gateway/demo/sample-seed.ts': 'sample-target.test.ts seeds a real server with it and reads the rows back',
}

function files(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .sort()
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

const sources = ROOMS.flatMap(files).filter((path) => path.endsWith('.ts'))
const tests = files('test').filter((path) => path.endsWith('.ts'))
const prose = [
  ...files('docs'),
  ...files('deploy'),
  ...files('.ci'),
  'README.md',
  'package.json',
  'package-lock.json',
  'biome.json',
]

/** What the file still says once its types and comments are gone: nothing, for a file of types alone. */
function runtime(path: string): string {
  const stripped = stripTypeScriptTypes(read(path))
  return stripped.replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '').replaceAll(/^\s*(import|export) ['{][^\n]*|[\s;]/gm, '')
}

/** The outside packages a file imports: `jose`, `@scope/name`; node: and relative imports are not outside. */
function packagesOf(path: string): string[] {
  const statements = /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm
  const specifiers = [...read(path).matchAll(statements)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
  return specifiers
    .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
}

/** The project's own files a file imports, as paths from the root. */
function importsOf(path: string): string[] {
  const statements = /\b(?:from|import\() ?'(\.[^']+)'/g
  return [...read(path).matchAll(statements)].map(([, specifier]) => join(dirname(path), specifier ?? ''))
}

/** What the tests of a folder reach without leaving it: a part of a family is proved through the face it is called by. */
function reached(folder: string): ReadonlySet<string> {
  const queue = tests.filter((path) => path.endsWith('.test.ts') && dirname(path).startsWith(`test/${folder}`))
  const seen = new Set<string>()
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const imported of importsOf(path)) {
      const inside = imported.startsWith(`${folder}/`) || imported.startsWith('test/')
      if (!inside || seen.has(imported) || !existsSync(join(ROOT, imported))) continue
      seen.add(imported)
      queue.push(imported)
    }
  }
  return seen
}

test('every source file with something to run is reached by the tests at its mirrored place', () => {
  const byFolder = new Map<string, ReadonlySet<string>>()
  const missing = sources
    .filter((path) => runtime(path) !== '' && !testedElsewhere(path))
    .filter((path) => !existsSync(join(ROOT, 'test', path.replace(/\.ts$/, '.test.ts'))))
    .filter((path) => {
      const folder = dirname(path)
      const known = byFolder.get(folder) ?? reached(folder)
      byFolder.set(folder, known)
      return !known.has(path)
    })
  assert.deepEqual(missing, [])
})

function testedElsewhere(path: string): boolean {
  return Object.keys(TESTED_ELSEWHERE).some((key) => path === key || (key.endsWith('/') && path.startsWith(key)))
}

test('every mirrored test stands where there are sources', () => {
  const orphans = tests
    .filter((path) => path.endsWith('.test.ts') && ROOMS.some((room) => path.startsWith(`test/${room}/`)))
    .filter((path) => !existsSync(join(ROOT, dirname(path.slice('test/'.length)))))
  assert.deepEqual(orphans, [])
})

test('the exceptions of this file name files that exist', () => {
  const stale = Object.keys(TESTED_ELSEWHERE).filter((path) => !existsSync(join(ROOT, path)))
  assert.deepEqual(stale, [])
})

test('every protocol folder has the same shape', () => {
  const folders = readdirSync(join(ROOT, 'gateway/protocols'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.ok(folders.length >= 2, 'a gate shaped by one protocol alone is not proved to be general')
  for (const { name } of folders) {
    const has = (file: string): boolean => existsSync(join(ROOT, 'gateway/protocols', name, file))
    assert.ok(has('index.ts'), `${name}/index.ts: the face of the protocol`)
    assert.ok(has('README.md'), `${name}/README.md: what is inspected, what is refused, the states`)
    assert.ok(
      ['wire.ts', 'channels.ts', 'exchange.ts', 'streams.ts', 'dialect.ts'].some(has),
      `${name}: where bytes become messages, or what an HTTP request means`,
    )
  }
})

test('no file is longer than a reader can hold', () => {
  const long = [...sources, ...tests].filter((path) => read(path).split('\n').length > MAX_LINES)
  assert.deepEqual(long, [])
})

test('every error code is explained in docs/errors.md, and nothing else is', () => {
  const explained = new Set(read('docs/errors.md').match(/\b[A-Z]+_[A-Z_]*[A-Z]\b/g))
  assert.deepEqual(
    ERROR_CODES.filter((code) => !explained.has(code)),
    [],
  )
  const prefixes = new Set(ERROR_CODES.map((code) => code.split('_')[0]))
  const known = new Set<string>(ERROR_CODES)
  const unknown = [...explained].filter((word) => prefixes.has(word.split('_')[0]) && !known.has(word))
  assert.deepEqual(unknown, [])
})

test('only the masker makes a Masked value (P2)', () => {
  const makers = sources.filter((path) => /\bas\s+(unknown\s+as\s+)?Masked\b/.test(read(path)))
  assert.deepEqual(makers, ['gateway/masking/masker.ts'])
  const pretenders = tests.filter((path) => /\bas\s+(unknown\s+as\s+)?Masked</.test(read(path)))
  const elsewhere = pretenders.filter((path) => !path.startsWith('test/support/') && !path.startsWith('test/recorder/'))
  assert.deepEqual(elsewhere, [], 'tests that need a Masked value without a masker get it from test/support/')
})

test('each outside package is imported where docs/decisions/0001-dependencies.md says, and nowhere else', () => {
  const rows = [...read('docs/decisions/0001-dependencies.md').matchAll(/^\| ([^|]+) \|[^|]+\| ([^|]+) \|$/gm)]
  const table = new Map(rows.map(([, name = '', where = '']) => [name.trim(), where]))
  table.delete('package')
  const manifest: Record<'dependencies' | 'devDependencies', Record<string, string>> = JSON.parse(read('package.json'))
  const { dependencies, devDependencies } = manifest
  assert.deepEqual(
    Object.keys(dependencies).filter((name) => !table.has(name)),
    [],
    'packages without a row',
  )
  assert.deepEqual(
    [...table.keys()].filter((name) => !(name in dependencies) && !(name in devDependencies)),
    [],
    'rows without a package',
  )
  const strays = sources.flatMap((path) =>
    packagesOf(path)
      .filter((name) => !allowed(table.get(name) ?? '', path))
      .map((name) => `${path} imports ${name}`),
  )
  assert.deepEqual(strays, [])
})

/** Whether the table's last cell lets the file import: a path, a folder ending in a slash, or `anywhere`. */
function allowed(where: string, path: string): boolean {
  if (where.startsWith('anywhere')) return true
  const places = where.match(/[\w.-]+\/[\w./-]*/g) ?? []
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))
}

test('what understands bytes does no I/O', () => {
  const pure = sources.filter(
    (path) => /(^|\/)(wire|messages|view)\.ts$/.test(path) || /^(gateway\/policy\/(sql|shell))\//.test(path),
  )
  const impure = pure.filter((path) => /from 'node:(net|tls|fs|http|dgram|child_process)/.test(read(path)))
  assert.deepEqual(impure, [])
})

test('no test is skipped, left to do, or run alone', () => {
  // The words are put together here so that this file does not find itself.
  const words = ['skip', 'todo', 'only'].map(
    (word) => new RegExp(`\\b(test|describe|it|t)\\.${word}\\b|\\b${word}: (true|'|\`|!)`),
  )
  const found = tests.filter((path) => words.some((word) => word.test(read(path))))
  assert.deepEqual(found, [])
})

test('nothing names the place it was made in', () => {
  // Put together here so that this file does not find itself.
  const places = [['', 'work', ''].join('/'), ['..', 'shared', ''].join('/'), ['TO', 'DO'].join(''), ['FIX', 'ME'].join('')]
  const words = places.map((place) => new RegExp(`(^|[^\\w.~-])${place.replaceAll('.', '\\.')}`, 'm'))
  const found = [...sources, ...tests, ...prose]
    .filter((path) => existsSync(join(ROOT, path)))
    .filter((path) => words.some((word) => word.test(read(path))))
  assert.deepEqual(found, [])
  const hosts = [...read('package-lock.json').matchAll(/"resolved": "https?:\/\/([^/"]+)/g)].map(([, host]) => host)
  assert.deepEqual(
    hosts.filter((host) => host !== 'registry.npmjs.org'),
    [],
  )
})

test('the lockfile names the optional packages of every platform, so that npm ci takes it everywhere', () => {
  // npm leaves out what the registry it was made with does not carry, and then refuses its own lockfile.
  const lock: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(
    read('package-lock.json'),
  )
  const missing = Object.entries(lock.packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in lock.packages || `${place}/node_modules/${name}` in lock.packages),
    ),
  )
  assert.deepEqual(missing, [])
})

test('every test that the docs name as the keeper of a promise exists', () => {
  const named = ['docs/architecture.md', 'docs/threat-model.md'].flatMap((page) => read(page).match(/test\/[\w./-]+/g) ?? [])
  const missing = [...new Set(named)].filter((path) => !existsSync(join(ROOT, path)))
  assert.ok(named.length > 20)
  assert.deepEqual(missing, [])
})
