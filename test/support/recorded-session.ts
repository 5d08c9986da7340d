import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'pg-protocol'
import type { Cli } from '../../gateway/cli/context.ts'
import { BACKEND, message, nulTerminated } from '../../gateway/protocols/postgres/messages.ts'
import type { RecorderRoom } from '../../recorder/index.ts'
import { entry, type RecordingFolder, START } from './recording.ts'

export const COMPLETE = message(BACKEND.commandComplete, nulTerminated('SELECT 1'))
export const REFUSAL = message(BACKEND.error, ...['SERROR', 'C42501', 'Mblocked', ''].map(nulTerminated))

/** A session with a released and a blocked statement, recorded and sealed, and the configuration that finds it. */
export async function recorded(folder: RecordingFolder, given?: RecorderRoom): Promise<string> {
  const room = given ?? (await folder.room())
  const { info, recorder } = await room.open(START)
  const blocked = { act: 'block', rules: ['no-drop'], policy: 'abababababab' } as const
  await recorder.append([
    entry({ kind: 'query', body: serialize.query('SELECT 1') }),
    entry({ dir: 'out', kind: 'reply', body: COMPLETE }),
    entry({ kind: 'query', body: serialize.query('DROP TABLE orders'), verdict: blocked }),
    entry({ dir: 'out', kind: 'refusal', body: REFUSAL }),
    entry({ dir: 'note', kind: 'approval', facts: { outcome: 'none' } }),
  ])
  await recorder.seal('the client left')
  await writeFile(
    join(folder.path, 'sallyport.yaml'),
    `gateway: gw1
dataDir: .
policy: policy.yaml
listeners: { postgres: { address: '127.0.0.1:0' } }
targets:
  - name: shop
    protocol: postgres
    host: 127.0.0.1
    port: 5432
    groups: [agents]
    credential: { user: u, password: { env: NOT_SET_WHERE_EVIDENCE_IS_READ } }
`,
  )
  return info.id
}

/** A command's world in `folder`; what it writes is kept. */
export function terminal(folder: RecordingFolder): Cli & { readonly text: () => string } {
  const written: string[] = []
  const out = (text: string): void => void written.push(text)
  return { env: {}, cwd: folder.path, out, err: out, text: () => written.join('') }
}
