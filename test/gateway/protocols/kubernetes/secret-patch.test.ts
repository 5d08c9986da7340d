import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secretPatchProblem } from '../../../../gateway/protocols/kubernetes/secret-patch.ts'

const problem = (...operations: unknown[]) => secretPatchProblem(Buffer.from(JSON.stringify(operations)))

test('what gives a value of its own, or none, is let through, and tests of what is around', () => {
  assert.equal(problem(), undefined)
  for (const op of ['add', 'replace', 'remove']) assert.equal(problem({ op, path: '/data/a', value: 'eA==' }), undefined, op)
  for (const path of ['/metadata/resourceVersion', '/metadata/annotations/a~1b', '/metadata/labels'])
    assert.equal(problem({ op: 'test', path, value: 'x' }), undefined, path)
})

test('what would take a value elsewhere, or guess it, is refused, and what cannot be read', () => {
  for (const op of ['copy', 'move', 'Copy', '', 7, undefined])
    assert.match(problem({ op, from: '/metadata/a', path: '/b' }) ?? '', /may add/)
  for (const path of [
    '',
    '/data/a',
    '/metadata',
    '/metadata/annotations',
    '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration',
    'x/metadata/../data',
    7,
    undefined,
  ])
    assert.match(problem({ op: 'test', path, value: 'x' }) ?? '', /may add/, String(path))
  assert.match(problem({ op: 'add' }, null) ?? '', /may add/)
  // Of a key that is there twice readers take the last.
  assert.match(secretPatchProblem(Buffer.from('[{"op":"add","op":"copy"}]')) ?? '', /may add/)
  for (const body of ['{}', '[', 'null', '', '\ufeff[]'])
    assert.match(secretPatchProblem(Buffer.from(body)) ?? '', /cannot be read/, body)
  assert.match(secretPatchProblem(undefined) ?? '', /cannot be read/)
})
