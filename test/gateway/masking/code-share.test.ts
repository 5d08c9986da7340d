import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { codeBytes } from '../../../gateway/masking/code-share.ts'

const repository = new URL('../../../', import.meta.url)
const read = (path: string): Buffer => readFileSync(new URL(path, repository))

test('source code and configuration files are told by their lines', () => {
  const python =
    'import os\nfrom x import y\n\n\nclass Reader(Base):\n    def read(self, path):\n        with open(path) as f:\n            return f.read()\n\n    @property\n    def size(self):\n        return len(self.rows)\n\ndef main(argv):\n    for name in argv:\n        print(Reader().read(name))\n'
  const ini =
    '[server]\nhost = db.internal\nport = 5432\n# pool\nmax_connections = 100\nshared_buffers = 128MB\n\n[client]\ntimeout = 30\nretries = 5\nname = app\n'
  for (const bytes of [
    read('gateway/masking/engine.ts'),
    read('gateway/yaml.ts'),
    read('gateway/demo/policy.yaml'),
    Buffer.from(python),
    Buffer.from(ini),
  ])
    assert.ok(codeBytes(bytes) >= bytes.length / 2, bytes.subarray(0, 60).toString())
})

test('tables, logs, documents and short answers are not', () => {
  const table = Array.from({ length: 400 }, (_, i) => `${i}\tada lovelace ${i}\t2026-01-0${1 + (i % 9)}\t${i * 7}.50`).join('\n')
  const log = Array.from(
    { length: 200 },
    (_, i) => `2026-01-07T22:30:${10 + (i % 50)}Z level=info msg="request done" status=200 size=${i}`,
  ).join('\n')
  const json = JSON.stringify(
    Array.from({ length: 50 }, (_, id) => ({ id, name: 'x', at: '2026' })),
    null,
    2,
  )
  const rows = Buffer.concat(
    Array.from({ length: 500 }, (_, i) => Buffer.from(`D\0\0\0\x20\0\x02\0\0\0\x04${1000 + i}\0\0\0\x09some text`)),
  )
  for (const bytes of [
    Buffer.from(table),
    Buffer.from(log),
    Buffer.from(json),
    rows,
    read('LICENSE'),
    Buffer.from('ok\n'),
    Buffer.alloc(65_536),
  ])
    assert.equal(codeBytes(bytes), 0, bytes.subarray(0, 60).toString('latin1'))
})
