import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { clientHere } from '../../support/clients.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'

const MAIN = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))
const MiB = 1 << 20
const SMALL = 32 * MiB
const LARGE = 3 * SMALL
const BODY = 64 << 10
/** Small frames beside the large ones: what grows with their number shows as well. */
const SMALL_PER_BODY = 24
/** Between a small tape and one of many times its size; garbage that nobody has collected yet included. */
const MAY_DIFFER_MIB = 48
/** Runs what it is given and says the most memory that held, in KiB, in the last line. */
const MEASURE =
  'import resource,subprocess,sys\nsubprocess.run(sys.argv[1:])\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'

test('a tape of three times the size is verified in the same memory, by all three verifiers', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await using folder = await recordingFolder()
  const room = await folder.room({ codec: 'store', limits: { walSize: 8 * MiB } })
  const record = async (bytes: number): Promise<string> => {
    const { info, recorder } = await room.open(START)
    for (let at = 0; at < bytes; at += BODY) {
      const small = Array.from({ length: SMALL_PER_BODY }, (_, n) => entry({ dir: 'in', facts: { n } }))
      await recorder.append([entry({ dir: 'out', body: randomBytes(BODY) }), ...small])
    }
    await recorder.seal('client.left')
    return join(folder.path, 'tapes', info.id)
  }
  const small = await record(SMALL)
  const large = await record(LARGE)
  using gallery = new Gallery([folder.signer])
  const verifiers = {
    'sallyport verify': [process.execPath, MAIN, 'verify', '--json'],
    'the single file': [process.execPath, gallery.singleFilePath(), '--json'],
    python: [python, '-B', PYTHON_VERIFIER, '--json'],
  }
  for (const [name, command] of Object.entries(verifiers)) {
    const peakMiB = (tape: string): number => {
      const ran = spawnSync(python, ['-c', MEASURE, ...command, tape, '--trust', gallery.keys], { encoding: 'utf8' })
      const lines = ran.stdout.trim().split('\n')
      const peak = Number(lines.pop()) / 1_024
      assert.equal(JSON.parse(lines.join('\n')).verdict, 'VALID', `${name}: ${ran.stdout}${ran.stderr}`)
      return peak
    }
    const [least, most] = [peakMiB(small), peakMiB(large)]
    t.diagnostic(`${name}: ${least.toFixed(0)} MiB at first, ${most.toFixed(0)} MiB for the large one`)
    assert.ok(most - least < MAY_DIFFER_MIB, `${name}: ${least} MiB and ${most} MiB`)
  }
})
