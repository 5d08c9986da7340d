import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import {
  cosignatureLine,
  cosignedAt,
  cosignedBytes,
  parseWitnessKey,
  witnessKeyOf,
  witnessVerifierKey,
} from '../../../schemas/verify/cosignature.ts'
import { parseNote } from '../../../schemas/verify/note.ts'

/** The example of c2sp.org/tlog-cosignature; its cosigner's key is not published, so only its form can be read. */
const EXAMPLE = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`

test('what is cosigned is the specification’s text', () => {
  const { text, signatures } = parseNote(Buffer.from(EXAMPLE))
  assert.equal(
    Buffer.from(cosignedBytes(1679315147, text)).toString(),
    'cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
  )
  const [, cosignature] = signatures
  assert.equal(cosignature?.keyId, '8d66cf3f')
  assert.equal(Buffer.from(cosignature?.signature ?? []).readBigUInt64BE(0), 1679315147n)
})

test('a cosignature holds for its note, its time and its key', async () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = witnessKeyOf(nodeTools, 'audit.example/w1', createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  const note = parseNote(Buffer.from(EXAMPLE))
  const signature = sign(null, cosignedBytes(1_700_000_000, note.text), privateKey)
  const signed = (line: string, text = EXAMPLE) => parseNote(Buffer.from(text + line))
  const line = cosignatureLine(key, 1_700_000_000, signature)
  assert.equal(await cosignedAt(nodeTools, signed(line), key), 1_700_000_000)
  assert.equal(await cosignedAt(nodeTools, note, key), undefined)
  assert.equal(await cosignedAt(nodeTools, signed(cosignatureLine(key, 1_700_000_001, signature)), key), undefined)
  assert.equal(await cosignedAt(nodeTools, signed(line, EXAMPLE.replace('20852163', '20852164')), key), undefined)
  const other = witnessKeyOf(nodeTools, 'audit.example/w2', key.publicKey)
  assert.equal(await cosignedAt(nodeTools, signed(line), other), undefined)
})

test('a verifier key is read back as it was written; one that does not hang together is refused', () => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const key = witnessKeyOf(nodeTools, 'audit.example/w1', publicKey.export({ type: 'spki', format: 'der' }))
  const text = witnessVerifierKey(key)
  assert.match(text, /^audit\.example\/w1\+[0-9a-f]{8}\+B[A-P]/)
  assert.deepEqual({ ...parseWitnessKey(nodeTools, text), publicKey: [] }, { ...key, publicKey: [] })
  for (const wrong of ['', 'a+b+c', text.replace('w1', 'w2'), text.slice(0, -8), text.replace(/\+B[A-P]/, '+AQ')])
    assert.throws(() => parseWitnessKey(nodeTools, wrong), { code: 'LEDGER_MALFORMED' }, wrong)
})
