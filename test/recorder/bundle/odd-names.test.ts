import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { Verification } from '../../../schemas/verification.ts'
import { clientHere } from '../../support/clients.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'

const LONGEST_NAME = 255
const POOR_LOCALES = [{ PYTHONIOENCODING: 'ascii' }, { LC_ALL: 'C' }, { LC_ALL: 'C', PYTHONUTF8: '0', PYTHONCOERCECLOCALE: '0' }]

test('a session’s folder under an odd name is no session, and every verifier says the same of it, whatever the name', async (t) => {
  await using folder = await recordingFolder()
  using gallery = new Gallery([folder.signer])
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  const room = await folder.room({ store, ledger, codec: 'gzip' })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry({ body: Buffer.from('select 1') })], { durable: true })
  await recorder.seal('client.left')
  await room.close()
  await ledger.close()

  const own = tapeKeys.prefix(info.id)
  const under = (name: string): [string, Uint8Array][] =>
    [...store.objects].flatMap(([key, bytes]) =>
      key.startsWith(own) ? [[`tapes/${name}/${key.slice(own.length)}`, bytes] satisfies [string, Uint8Array]] : [],
    )
  const rest = [...store.objects].filter(([key]) => !key.startsWith(own))
  const names = [
    ' spaces ',
    'tab\there',
    'line\nbreak',
    '-rf',
    '.hidden',
    '\u2026',
    '%2e%2e',
    'back\\slash',
    'quote\'"`$(x)',
    'e\u0301 decomposed',
    '\u00e9 composed',
    '\ue000 private',
    '\u{1f600} astral',
    '\u202e turned',
    '\u001b[31m red',
    '__proto__',
    'constructor',
    'tapes',
    'ledger',
    'keys',
    '0000.tape',
    `${info.id}.`,
    info.id.toLowerCase(),
    'n'.repeat(LONGEST_NAME),
  ]
  const rows = names.flatMap((name) => [
    {
      name: `beside: ${JSON.stringify(name)}`,
      verdict: name === '.hidden' ? 'VALID' : 'INVALID',
      objects: [...store.objects, ...under(name)],
    },
    { name: `in its place: ${JSON.stringify(name)}`, verdict: 'INVALID', objects: [...rest, ...under(name)] },
    { name: `without a ledger: ${JSON.stringify(name)}`, verdict: 'INVALID', objects: under(name) },
  ])
  // Their order is said too.
  rows.push({ name: 'all at once', verdict: 'INVALID', objects: [...store.objects, ...names.flatMap(under)] })
  const hidden = rows.findIndex(({ name }) => name === 'without a ledger: ".hidden"')
  rows.splice(hidden, 1)
  const paths = rows.map(({ objects }) => gallery.add(new Map(objects)))
  const [first = [], ...others] = await gallery.all(t, paths)
  // Whatever the locale calls an encoding: names are UTF-8.
  for (const env of clientHere(t, 'python3') === undefined ? [] : POOR_LOCALES) others.push(gallery.python(paths, 'python3', env))
  assert.deepEqual(
    first.map(({ verdict }, index) => [rows[index]?.name, verdict]),
    rows.map(({ name, verdict }) => [name, verdict]),
  )
  for (const [n, results] of others.entries())
    for (const [index, { name }] of rows.entries())
      assert.deepEqual(told(results[index]), told(first[index]), `${n + 1}: ${name}`)
})

test('Python tells a person the same on a terminal that has no letters but ASCII', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await using folder = await recordingFolder()
  using gallery = new Gallery([folder.signer])
  const room = await folder.room({ codec: 'gzip' })
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  await room.close()
  const path = join(gallery.path, 'für Ana \u{1f600}')
  renameSync(folder.path, path)
  writeFileSync(join(path, 'tapes', info.id, 'né.txt'), '')
  for (const env of [{}, ...POOR_LOCALES]) {
    const command = ['-B', PYTHON_VERIFIER, '--trust', gallery.keys, path]
    const ran: SpawnSyncReturns<string> = spawnSync(python, command, { encoding: 'utf8', env: { ...process.env, ...env } })
    assert.deepEqual([ran.status, ran.stderr], [0, ''], JSON.stringify(env))
    assert.match(ran.stdout, /né\.txt is no part|n\\xe9\.txt is no part|n\\u00e9\.txt is no part/)
    assert.match(ran.stdout, /^VALID: /m)
  }
  renameSync(path, folder.path)
})

/** Everything that is not a sentence. */
function told(result: Verification | undefined): unknown {
  return JSON.parse(JSON.stringify(result, (name, value: unknown) => (name === 'what' || name === 'path' ? undefined : value)))
}
