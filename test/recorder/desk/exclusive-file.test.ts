import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createFile, makeFolder } from '../../../recorder/desk/exclusive-file.ts'
import { codeOf } from '../../../recorder/files.ts'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-exclusive-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('of many processes that create the same file exactly one does, and everybody reads its bytes', async () => {
  await using made = await temporary()
  const module = new URL('../../../recorder/desk/exclusive-file.ts', import.meta.url).href
  const path = join(made.path, 'claimed')
  const script = `
    const { createFile } = await import(${JSON.stringify(module)})
    process.stdin.once('data', async () => {
      const won = await createFile(${JSON.stringify(path)}, 'by ' + process.pid)
      process.stdout.write(won ? String(process.pid) : '', () => process.exit())
    })
    process.stderr.write('ready')`
  const children = Array.from({ length: 4 }, () => spawn(process.execPath, ['--input-type=module', '-e', script]))
  await Promise.all(children.map((child) => once(child.stderr, 'data')))
  const outputs = children.map((child) => text(child.stdout))
  for (const child of children) child.stdin.write('go')
  const winners = (await Promise.all(outputs)).filter((output) => output !== '')
  assert.equal(winners.length, 1)
  assert.equal(await readFile(path, 'utf8'), `by ${winners[0]}`)
  assert.deepEqual(await readdir(made.path), ['claimed'], 'no drafts are left')
})

test('a file that exists is left as it is', async () => {
  await using made = await temporary()
  const path = join(made.path, 'file')
  assert.equal(await createFile(path, 'one'), true)
  assert.equal(await createFile(path, 'two'), false)
  assert.equal(await readFile(path, 'utf8'), 'one')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

test('a failure is a failure, not a file that existed', async () => {
  await using made = await temporary()
  await assert.rejects(createFile(join(made.path, 'missing', 'file'), ''), (error) => codeOf(error) === 'ENOENT')
  await makeFolder(join(made.path, 'missing'))
  assert.equal((await stat(join(made.path, 'missing'))).mode & 0o777, 0o700)
})
