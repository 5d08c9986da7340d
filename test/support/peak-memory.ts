import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import type { RecorderRoom } from '../../recorder/index.ts'
import { entry, START } from './recording.ts'

const BODY = 64 << 10
/** Small frames beside the large ones: what grows with their number shows as well. */
const SMALL_PER_BODY = 24
/** Runs what it is given and says the most memory that held, in KiB, in the last line. */
const MEASURE =
  'import resource,subprocess,sys\nsubprocess.run(sys.argv[1:])\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'

/** A session of so many bytes, ended; its id. */
export async function recordBytes(room: RecorderRoom, bytes: number): Promise<string> {
  const { info, recorder } = await room.open(START)
  for (let at = 0; at < bytes; at += BODY) {
    const small = Array.from({ length: SMALL_PER_BODY }, (_, n) => entry({ dir: 'in', facts: { n } }))
    await recorder.append([entry({ dir: 'out', body: randomBytes(BODY) }), ...small])
  }
  await recorder.seal('client.left')
  return info.id
}

export interface Measured {
  readonly out: string
  readonly err: string
  readonly peakMiB: number
}

/** Runs a command, beside this process, which may serve it meanwhile. */
export async function measured(python: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Measured> {
  const child = spawn(python, ['-c', MEASURE, ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  const lines = out.trim().split('\n')
  const peakMiB = Number(lines.pop()) / 1_024
  return { out: lines.join('\n'), err, peakMiB }
}
