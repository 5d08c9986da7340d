import assert from 'node:assert/strict'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Running } from '../support/clients.ts'
import { type SshGateway, startSshGateway } from '../support/ssh-gateway.ts'

/** A shell that says nothing of its own accord, so that the test can wait for what it wants. */
const SHELL = `exec env -i TERM=$TERM PS1='ready> ' HOME=/nonexistent PATH=$PATH bash --norc --noprofile -i`
const POLICY = `
version: 1
defaults: { approval: { groups: [approvers] } }
rules:
  - { id: no-removal, on: ssh, match: { program: rm }, action: block, reason: nothing is removed here }
  - { id: ask, on: ssh, match: { program: seq }, action: hold, reason: somebody decides }
`
const IN_THE_DARK = `${POLICY}  - { id: in-the-dark, on: ssh, match: { unshown: true }, action: block, reason: lines that are not shown do not pass }
`

async function shell(
  t: TestContext,
  policy = POLICY,
): Promise<{ gateway: SshGateway; client: Running; kept: string } | undefined> {
  const gateway = await startSshGateway(t, { policy })
  if (gateway === undefined) return undefined
  t.after(() => gateway[Symbol.asyncDispose]())
  const kept = join(gateway.sshd.files, 'kept')
  await writeFile(kept, 'kept\n')
  const client = gateway.ssh([SHELL], { as: 'human', flags: ['-tt'] })
  await client.says(/ready> $/)
  return { gateway, client, kept }
}

/** Types a line, as a person does: the keys, and Enter once they are shown. */
async function line(client: Running, text: string): Promise<void> {
  client.type(text)
  await client.says(new RegExp(`${text.slice(-8).replaceAll(/[^\w ]/g, '.')}$`))
  client.type('\r')
}

/** Until the shell asks for the next line, for the `count`th time. */
async function asks(client: Running, count: number): Promise<void> {
  await client.says(new RegExp(`^(?:[^]*?ready> ){${count}}(?:\u001b\\[K)?$`))
}

test('a line that policy blocks is answered and never reaches the shell; the next one does', async (t) => {
  const here = await shell(t)
  if (here === undefined) return
  const { gateway, client, kept } = here
  await line(client, `rm ${kept}`)
  await client.says(/sallyport: nothing is removed here \[no-removal\]\r\n/)
  await asks(client, 2)
  await line(client, 'echo still "here"')
  await client.says(/\rstill here\r\n/)
  await asks(client, 3)
  // The cursor goes to the beginning and the first letter away: what is sent off was never typed as it is.
  client.type(`xrm ${kept}`)
  await client.says(new RegExp(`xrm ${kept}$`))
  client.type('\u0001\u0004\r')
  await client.says(/(no-removal[\s\S]*){2}/)
  await asks(client, 4)
  // Two lines at once: what was typed behind the refused one goes nowhere.
  client.type(`rm ${kept}\recho "sec""ond"\r`)
  await client.says(/(no-removal[\s\S]*){3}/)
  await asks(client, 5)
  // Typed in the very moment of a refusal: nothing is left of the line before.
  client.type(`rm ${kept}\r`)
  await client.says(/(no-removal[\s\S]*){4}/)
  client.type('echo on "time"\r')
  await client.says(/\ron time\r\n/)
  client.type('exit 3\r')
  const ran = await client.ended
  assert.equal(ran.code, 3)
  assert.ok(!ran.stdout.includes('\rsecond'), ran.stdout)
  await access(kept)
  const frames = await gateway.frames()
  // What was typed before the new prompt was there may not be told from what is not shown.
  const lines = frames.filter(({ kind, facts, body }) => {
    return kind === 'line' && facts['unshown'] !== true && !Buffer.from(body ?? []).includes('on "time"')
  })
  assert.deepEqual(
    lines.map(({ body, verdict }) => [
      Buffer.from(body ?? [])
        .toString()
        .split('\n')
        .at(-1),
      verdict?.act ?? 'allow',
    ]),
    [
      [`rm ${kept}`, 'block'],
      ['echo still "here"', 'allow'],
      [`rm ${kept}`, 'block'],
      [`rm ${kept}`, 'block'],
      [`rm ${kept}`, 'block'],
      ['exit 3', 'allow'],
    ],
  )
})

test('lines that come in one go, or as a paste with its end, are each judged', async (t) => {
  const here = await shell(t, IN_THE_DARK)
  if (here === undefined) return
  const { client, kept } = here
  client.type(`cat /dev/null; sleep 1\rrm ${kept}\r`)
  await client.says(/nothing is removed here \[no-removal\]/)
  await asks(client, 2)
  client.type(`\u001b[200~rm ${kept}\n\u001b[201~`)
  await client.says(/kept\S*\r\n/)
  client.type('\r')
  await client.says(/(no-removal[\s\S]*){2}/)
  client.type('exit\r')
  await client.ended
  await access(kept)
  assert.ok(!client.stdout.includes('in-the-dark'), client.stdout)
})

test('a held line waits on the screen, runs once it is approved, and is taken back by Ctrl-C', async (t) => {
  const here = await shell(t)
  if (here === undefined) return
  const { gateway, client } = here
  const desk = await gateway.desk()
  await line(client, 'seq 41 42')
  await client.says(/sallyport: held for approval: request A-\S+ \(somebody decides\)\r\n/)
  const [request] = await desk.list({ state: 'pending' })
  assert.equal(request?.command, 'seq 41 42')
  await desk.decide(request?.id ?? '', { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['approvers'] })
  await client.says(/\r41\r\n42\r\n/)
  await asks(client, 2)
  await line(client, 'seq 43 44')
  await client.says(/(held for approval[\s\S]*){2}/)
  client.type('\u0003')
  await client.says(/was withdrawn/)
  await asks(client, 3)
  assert.deepEqual(await desk.list({ state: 'pending' }), [])
  client.type('exit\r')
  await client.ended
  assert.ok(!client.stdout.includes('\r43\r'))
})

test('a line that is typed and not shown is told without its text; an answer to a question for a password is none', async (t) => {
  const here = await shell(t, IN_THE_DARK)
  if (here === undefined) return
  const { gateway, client, kept } = here
  const secret = ['open', 'sesame'].join('-')
  client.type(`read -s -p 'Password: ' word; echo "[\${#word}]"\r`)
  await client.says(/\rPassword: $/)
  client.type(secret)
  client.type('\r')
  await client.says(/\[11\]\r\n[\s\S]*ready> $/)
  await line(client, 'read -s -p ready: word')
  await client.says(/\rready:$/)
  client.type('some')
  client.type('thing\r')
  await client.says(/lines that are not shown do not pass \[in-the-dark\]/)
  client.type('\rexit\r')
  await client.ended
  await access(kept)
  const frames = await gateway.frames()
  const all = frames.map(({ body }) => Buffer.from(body ?? []).toString()).join('\n')
  assert.ok(!all.includes(secret), 'the password is on the tape')
  assert.ok(frames.some(({ kind, facts }) => kind === 'line' && facts['unshown'] === true))
})
