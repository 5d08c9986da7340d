import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { clientHere } from '../../support/clients.ts'
import { measured, recordBytes } from '../../support/peak-memory.ts'
import { recordingFolder } from '../../support/recording.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'

const MAIN = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))
const MiB = 1 << 20
const SMALL = 32 * MiB
const LARGE = 8 * SMALL
/** Whoever keeps what they read differs by all of it at least; garbage that nobody has collected yet makes some 70 MiB. */
const MAY_DIFFER_MIB = (LARGE - SMALL) / 2 / MiB

test('a tape of eight times the size is verified in the same memory, by all three verifiers', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await using folder = await recordingFolder()
  const room = await folder.room({ codec: 'store', limits: { walSize: 8 * MiB } })
  const record = async (bytes: number): Promise<string> => join(folder.path, 'tapes', await recordBytes(room, bytes))
  const small = await record(SMALL)
  const large = await record(LARGE)
  using gallery = new Gallery([folder.signer])
  const verifiers = {
    'sallyport verify': [process.execPath, MAIN, 'verify', '--json'],
    'the single file': [process.execPath, gallery.singleFilePath(), '--json'],
    python: [python, '-B', PYTHON_VERIFIER, '--json'],
  }
  for (const [name, command] of Object.entries(verifiers)) {
    const peakMiB = async (tape: string): Promise<number> => {
      const { out, err, peakMiB } = await measured(python, [...command, tape, '--trust', gallery.keys])
      assert.equal(JSON.parse(out).verdict, 'VALID', `${name}: ${out}${err}`)
      return peakMiB
    }
    const [least, most] = [await peakMiB(small), await peakMiB(large)]
    t.diagnostic(`${name}: ${least.toFixed(0)} MiB at first, ${most.toFixed(0)} MiB for the large one`)
    assert.ok(most - least < MAY_DIFFER_MIB, `${name}: ${least} MiB and ${most} MiB`)
  }
})
