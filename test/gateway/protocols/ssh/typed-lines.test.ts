import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { loadShell } from '../../../../gateway/policy/shell/parse.ts'
import { LineMessage } from '../../../../gateway/protocols/ssh/line-message.ts'
import { ByteStream } from '../../../../gateway/protocols/ssh/messages.ts'
import { TypedLines } from '../../../../gateway/protocols/ssh/typed-lines.ts'

before(loadShell)

test('of many lines that come at once, behind a terminal that shows nothing, only the first are waited for', async () => {
  const typed = new TypedLines(1, 80, () => undefined)
  const stdin = new ByteStream('client', 'terminal-input', 1, { act: 'data' })
  const lines = typed
    .input(Buffer.from('echo x\r'.repeat(100)), false, stdin)
    .filter((message): message is LineMessage => message instanceof LineMessage)
  assert.equal(lines.length, 100)
  const waited: number[] = []
  for (const [index, line] of lines.entries()) {
    const pending = line.pending()
    if (pending !== undefined) waited.push(index)
    await pending
    // Of the first the keys have gone before, and are not shown.
    if (index > 0) assert.equal(line.command(), 'echo x')
  }
  // Half a second each, and a second together; each again once a line came that was not ahead of another.
  assert.deepEqual(
    waited,
    waited.slice(0, 5).map((_, index) => index + (waited[0] ?? 0)),
  )
  assert.ok(waited.length >= 1 && waited.length <= 5, String(waited))
})
