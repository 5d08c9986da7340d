import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../gateway/config.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { selfSigned } from './pg-tls.ts'

/** A configuration without a mistake, to be spoilt. */
export const GOOD = `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners:
  postgres:
    address: 127.0.0.1:0
targets:
  - name: shop
    protocol: postgres
    host: db.internal
    port: 5432
    database: shop
    labels: { env: production }
    groups: [agents]
    tls: { mode: verify, ca: ca.pem }
    credential:
      user: gateway
      password: { env: SHOP_PASSWORD }
identities:
  - subject: agent:claude
    kind: agent
    groups: [agents]
    principal: ana@example.org
  - subject: ana@example.org
    kind: human
    groups: [dba]
`

let authority: ReturnType<typeof selfSigned> | undefined

/** A folder with these files, and those GOOD names. */
export async function configFolder(files: Record<string, string>): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-config-'))
  authority ??= selfSigned()
  const { cert } = await authority
  for (const [name, text] of Object.entries({ 'policy.yaml': 'rules: []', 'ca.pem': cert, ...files })) {
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** What loading this text says; '' where nothing is wrong. */
export async function mistakes(
  text: string,
  env: NodeJS.ProcessEnv = { SHOP_PASSWORD: 'x' },
  files: Record<string, string> = {},
): Promise<string> {
  await using made = await configFolder({ 'sallyport.yaml': text, ...files })
  try {
    await loadConfig(join(made.path, 'sallyport.yaml'), env)
  } catch (error) {
    assert.ok(error instanceof ApplianceError)
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.message.replaceAll(made.path, '')
  }
  return ''
}

/** The 1-based line of GOOD (or a changed copy) that has this text. */
export const lineOf = (text: string, part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1
