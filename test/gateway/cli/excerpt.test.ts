import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { excerpt } from '../../../gateway/cli/excerpt.ts'
import { parseFrames } from '../../../gateway/cli/frame-runs.ts'
import { verify } from '../../../gateway/cli/verify.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

test('an excerpt is a file of its own that verifies; nothing is written over, and what is not there is not disclosed', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const cli = terminal(folder)
  assert.equal(await excerpt(id, { frames: [[2, 3]] }, cli), 0)
  assert.match(cli.text(), /\.excerpt\.json: 2 frames of /)
  const path = join(folder.path, `${id}.excerpt.json`)
  const told = terminal(folder)
  assert.equal(await verify(path, {}, told), 0)
  assert.match(told.text(), /an excerpt: frames 2-3 are disclosed, 3 more are hidden/)
  await assert.rejects(excerpt(id, { frames: [[2, 3]] }, cli), { code: 'EEXIST' })
  const out = join(folder.path, 'more.excerpt.json')
  await assert.rejects(excerpt(id, { frames: [[4, 5]], out }, cli), { code: 'TAPE_MALFORMED' })
  await assert.rejects(excerpt(id, { frames: [[1, 1]], out: 'x.zip' }, cli), { code: 'CONFIG_INVALID' })
})

test('frame numbers are put in order and together', () => {
  assert.deepEqual(parseFrames('35, 10-20,21'), [
    [10, 21],
    [35, 35],
  ])
  assert.deepEqual(parseFrames('3-5,1-9'), [[1, 9]])
  for (const text of ['', '-1', '5-3', '1,,2', 'a', '0-100000']) assert.equal(parseFrames(text), undefined, text)
})
