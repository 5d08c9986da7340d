import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startIdentityEndpoint, trustedTls } from '../support/azure-identity.ts'
import { startAzurite } from '../support/azurite.ts'
import { clientHere } from '../support/clients.ts'
import { measured, recordBytes } from '../support/peak-memory.ts'
import { recordingFolder } from '../support/recording.ts'
import { Gallery } from '../support/verifiers.ts'

// Beside test/recorder/tape/verify-memory.test.ts, which has folders: here everything comes through the SDK, whose buffers count as well.

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
const MiB = 1 << 20
const SMALL = 32 * MiB
const LARGE = 8 * SMALL
/** Whoever keeps what they read differs by all of it at least; garbage that nobody has collected yet makes some 70 MiB. */
const MAY_DIFFER_MIB = (LARGE - SMALL) / 2 / MiB

test('a container of eight times the size is verified by its URL in the same memory, ledger and all', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  const tls = await trustedTls()
  await using azurite = await startAzurite({ tls })
  await using endpoint = await startIdentityEndpoint()
  const peakMiB = async (size: number): Promise<number> => {
    await using folder = await recordingFolder()
    using gallery = new Gallery([folder.signer])
    const room = await folder.room({ codec: 'store', limits: { walSize: 8 * MiB } })
    await recordBytes(room, size)
    await room.close()
    const { container } = await azurite.place()
    const blobs = azurite.container(container)
    for (const prefix of ['tapes/', 'ledger/'])
      for await (const key of folder.store.list(prefix)) await blobs.getBlockBlobClient(key).uploadFile(join(folder.path, key))
    const authority = join(gallery.path, 'ca.pem')
    await writeFile(authority, tls.cert)
    const command = [process.execPath, MAIN, 'verify', `${azurite.url}/${container}`, '--trust', gallery.keys, '--json']
    const { out, err, peakMiB } = await measured(python, command, {
      ...endpoint.env,
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
      NODE_EXTRA_CA_CERTS: authority,
    })
    const { verdict, tapes, ledger } = JSON.parse(out || JSON.stringify(err))
    assert.deepEqual([verdict, tapes?.length, ledger?.verdict], ['VALID', 1, 'VALID'], out + err)
    return peakMiB
  }
  const [least, most] = [await peakMiB(SMALL), await peakMiB(LARGE)]
  t.diagnostic(`${least.toFixed(0)} MiB at first, ${most.toFixed(0)} MiB for the large one`)
  assert.ok(most - least < MAY_DIFFER_MIB, `${least} MiB and ${most} MiB`)
})
