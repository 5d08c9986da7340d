import { constants } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf } from '../../recorder/files.ts'
import { hashAccessKey, newAccessKey } from '../identity/access-key.ts'
import { CUSTOMER_COUNT } from './sample-seed.ts'
import { SAMPLE_DATABASE, type SampleTarget } from './sample-target.ts'

const POLICY = fileURLToPath(new URL('policy.yaml', import.meta.url))

/** Who can knock in the demo. The agent works for Ada, so it is Grace who may approve what it asks. */
export const AGENT = 'agent-7'
/** Another, of somebody who never comes here: it takes what it can get. */
export const OTHER_AGENT = { subject: 'agent-9', principal: 'lin@example.com' } as const
export const HUMAN = 'ada@example.com'
export const APPROVER = { subject: 'grace@example.com', groups: ['analysts', 'dba'] } as const

/** The access keys of this start: new each time, kept nowhere but as hashes. */
export interface DemoKeys {
  readonly agent: string
  readonly otherAgent: string
  readonly human: string
  readonly approver: string
}

export interface DemoFolder {
  readonly config: string
  readonly keys: DemoKeys
}

/**
 * Writes `sallyport.yaml` for the sample target and identities, and on the first start a copy of the sample policy,
 * which is then the user's to change.
 */
export async function writeDemoFolder(
  folder: string,
  sample: SampleTarget,
  port: number,
  consolePort?: number,
): Promise<DemoFolder> {
  await mkdir(folder, { recursive: true })
  const policy = join(folder, 'policy.yaml')
  await copyFile(POLICY, policy, constants.COPYFILE_EXCL).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  const keys = { agent: newAccessKey(), otherAgent: newAccessKey(), human: newAccessKey(), approver: newAccessKey() }
  const config = join(folder, 'sallyport.yaml')
  await writeFile(config, configText(sample, port, keys) + (consolePort === undefined ? '' : consoleText(consolePort)))
  return { config, keys }
}

function configText(sample: SampleTarget, port: number, keys: DemoKeys): string {
  const { host, database, user, passwordFile } = sample
  return `# Written by \`sallyport demo\` at every start, with new access keys. Copy it before you change it.
gateway: demo
dataDir: data
policy: policy.yaml
listeners:
  postgres:
    address: 127.0.0.1:${port}
targets:
  - name: ${SAMPLE_DATABASE}
    protocol: postgres
    host: ${host}
    port: ${sample.port}
    database: ${database}
    labels: { env: production }
    groups: [agents, analysts]
    tls: { mode: off }
    credential:
      user: ${user}
      password: { file: ${JSON.stringify(resolve(passwordFile))} }
identities:
  - subject: ${AGENT}
    kind: agent
    groups: [agents]
    principal: ${HUMAN}
    keys: [{ id: demo-agent, sha256: ${hashAccessKey(keys.agent)} }]
  - subject: ${OTHER_AGENT.subject}
    kind: agent
    groups: [agents]
    principal: ${OTHER_AGENT.principal}
    keys: [{ id: demo-other-agent, sha256: ${hashAccessKey(keys.otherAgent)} }]
  - subject: ${HUMAN}
    kind: human
    groups: [analysts]
    keys: [{ id: demo-human, sha256: ${hashAccessKey(keys.human)} }]
  - subject: ${APPROVER.subject}
    kind: human
    groups: [${APPROVER.groups.join(', ')}]
    keys: [{ id: demo-approver, sha256: ${hashAccessKey(keys.approver)} }]
findings:
  tables:
    - { target: ${SAMPLE_DATABASE}, table: customers, rows: ${CUSTOMER_COUNT}, sensitive: true }
`
}

function consoleText(port: number): string {
  return `console:
  address: 127.0.0.1:${port}
  roles:
    viewer: [analysts]
    investigator: [dba]
    approver: [dba]
    auditor: [dba]
`
}
