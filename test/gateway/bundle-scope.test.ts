import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundleScope, readScope } from '../../gateway/bundle-scope.ts'

const TARGETS = [
  { name: 'shop', labels: { env: 'prod', tier: '1' } },
  { name: 'web-1', labels: { env: 'prod' } },
  { name: 'lab' },
]

test('a scope is names in order, each once; labels stand for the targets that have all of them', () => {
  const scope = (...texts: string[]) => bundleScope(readScope(texts), TARGETS)
  assert.deepEqual(scope(), { target: [], identity: [] })
  assert.deepEqual(scope('target=web-1,lab', 'target=lab', 'identity=b,a'), { target: ['lab', 'web-1'], identity: ['a', 'b'] })
  assert.deepEqual(scope('label=env=prod').target, ['shop', 'web-1'])
  assert.deepEqual(scope('label=env=prod', 'label=tier=1', 'target=lab').target, ['lab', 'shop'])
  assert.throws(() => scope('label=env=test'), { code: 'CONFIG_INVALID', message: /no target .* env=test/ })
  for (const text of ['x=y', 'target=', 'target', 'label=env', 'label=env=', '=a'])
    assert.throws(() => scope(text), { code: 'CONFIG_INVALID' }, text)
})
